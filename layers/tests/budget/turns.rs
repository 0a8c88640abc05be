//! Attempts that wait for reserved money: served in the order in which they came, whichever of them are dropped.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use tokio::time::{Instant, advance};
use tokio_test::task::{self, Spawn};
use tower_llm_layers::{
    UtcTime,
    budget::{
        Budget, Budgets, Decision, InMemoryBudgetStore, MAX_QUEUED_RESERVATIONS, Refusal, RefusalReason, Reservation,
        ReserveRequest, Window,
    },
};

use super::{book_of, reserve, tags};
use crate::support::{DAY, secs, usd};

type Verdict = Result<Reservation, Box<Refusal>>;
type Waiting = Spawn<Pin<Box<dyn Future<Output = Verdict> + Send>>>;

fn request(budgets: &Budgets, pairs: &[(&str, &str)], want: &str) -> ReserveRequest {
    ReserveRequest::new(budgets.lines(&tags(pairs), "router", "a/b"), usd(want), UtcTime::now())
}

fn decide(budgets: &Budgets, pairs: &[(&str, &str)], want: &str, wait: Duration) -> Decision {
    budgets.reserve_queued(request(budgets, pairs, want), Instant::now() + wait)
}

/// One that waits, up to a minute.
fn waits(budgets: &Budgets, want: &str) -> Waiting {
    let Decision::Later(decision) = decide(budgets, &[], want, secs(60)) else {
        unreachable!("the money is reserved");
    };
    let mut waiting = task::spawn(decision);
    assert!(waiting.poll().is_pending());
    waiting
}

/// What it has got, if it was woken.
fn got(waiting: &mut Waiting) -> Option<Reservation> {
    if !waiting.is_woken() {
        return None;
    }
    match waiting.poll() {
        std::task::Poll::Ready(verdict) => Some(verdict.unwrap()),
        std::task::Poll::Pending => None,
    }
}

fn one_dollar() -> (Budgets, InMemoryBudgetStore) {
    book_of([Budget::usd("all", "1.00").unwrap()])
}

#[tokio::test(start_paused = true)]
async fn those_that_wait_are_served_in_the_order_in_which_they_came() {
    let (budgets, book) = one_dollar();
    let first = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let mut line: Vec<_> = (0..5).map(|_| waits(&budgets, "0.50")).collect();
    drop(first);
    // The first passes the word on, as there is more.
    let held: Vec<_> = line.iter_mut().map(got).collect();
    let served: Vec<_> = held.iter().map(Option::is_some).collect();
    assert_eq!(served, [true, true, false, false, false]);
    let mut held: VecDeque<_> = held.into_iter().flatten().collect();
    for next in 2..5 {
        drop(held.pop_front());
        for (number, waiting) in line.iter_mut().enumerate().skip(next) {
            let got = got(waiting);
            assert_eq!(got.is_some(), number == next, "{number} at {next}");
            held.extend(got);
        }
    }
    drop((held, line));
    assert_eq!(book.accounts()[0].reserved, usd("0"));
}

/// A wake-up that is lost leaves all behind it asleep, although the money is there.
#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_after_it_was_woken_wakes_the_next() {
    let (budgets, _) = one_dollar();
    let first = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let [one, mut other, mut third] = [(); 3].map(|()| waits(&budgets, "1.00"));
    drop(first);
    assert!(one.is_woken() && !other.is_woken());
    drop(one);
    let held = got(&mut other).expect("it is the first now");
    assert!(got(&mut third).is_none());
    // What is settled leaves too little for a dollar, and the third one learns so.
    held.settle(usd("0.01"));
    assert!(third.is_woken());
    let std::task::Poll::Ready(Err(refusal)) = third.poll() else {
        unreachable!("the money is spent");
    };
    assert!(matches!(refusal.reason, RefusalReason::Spent { .. }), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn a_large_one_is_not_overtaken_by_small_ones_that_can_wait() {
    let (budgets, _) = one_dollar();
    let [half, other] = [(); 2].map(|()| reserve(&budgets, &tags(&[]), "0.50", "0.50").unwrap());
    let mut large = waits(&budgets, "1.00");
    drop(half);
    assert!(got(&mut large).is_none());
    let mut small = waits(&budgets, "0.10");
    assert!(
        got(&mut small).is_none(),
        "fifty cents are free, and it is not its turn"
    );
    // What does not wait is not refused what is there.
    let passing = reserve(&budgets, &tags(&[]), "0.10", "0.10").unwrap();
    drop((passing, other));
    let held = got(&mut large).expect("the whole dollar is free");
    assert!(got(&mut small).is_none());
    drop(held);
    assert!(got(&mut small).is_some());
}

/// Nothing of one account's queue is in the way at another one.
#[tokio::test(start_paused = true)]
async fn each_account_has_a_queue_of_its_own() {
    let (budgets, _) = book_of([
        Budget::usd("tenant", "1.00").unwrap().each("tenant"),
        Budget::usd("all", "2.00").unwrap(),
    ]);
    let (acme, globex) = ([("tenant", "acme")], [("tenant", "globex")]);
    let first = reserve(&budgets, &tags(&acme), "1.00", "1.00").unwrap();
    let Decision::Later(second) = decide(&budgets, &acme, "1.00", secs(60)) else {
        unreachable!("the money of acme is reserved");
    };
    let mut second = task::spawn(second);
    assert!(second.poll().is_pending());
    let Decision::Now(Ok(other)) = decide(&budgets, &globex, "1.00", secs(60)) else {
        unreachable!("the money of globex is free");
    };
    // What is in its way next is the budget of all: it waits there, and before those that came after it.
    let third = reserve(&budgets, &tags(&[]), "0.00", "0.00").unwrap();
    drop((first, third));
    assert!(got(&mut second).is_some());
    drop(other);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_and_says_that_the_money_is_reserved() {
    let (budgets, book) = one_dollar();
    let held = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let begun = Instant::now();
    let Decision::Later(decision) = decide(&budgets, &[], "0.10", secs(3)) else {
        unreachable!("the money is reserved");
    };
    let refusal = decision.await.unwrap_err();
    assert!(refusal.is_reserved(), "{refusal}");
    assert_eq!(begun.elapsed(), secs(3));
    drop(held);
    assert_eq!(book.accounts()[0].reserved, usd("0"));
    let Decision::Now(Ok(_)) = decide(&budgets, &[], "1.00", secs(3)) else {
        unreachable!("no queue is left");
    };
}

/// The settled part of a budget ends with its window, although no attempt does.
#[tokio::test(start_paused = true)]
async fn the_next_window_serves_those_that_wait() {
    let (budgets, _) = book_of([Budget::usd("day", "1.00").unwrap().per(Window::Day)]);
    let now = UtcTime::now();
    let midnight = Window::Day.end(now).unwrap();
    advance(midnight.since(now).saturating_sub(secs(10))).await;
    reserve(&budgets, &tags(&[]), "0.50", "0.50")
        .unwrap()
        .settle(usd("0.50"));
    let _held = reserve(&budgets, &tags(&[]), "0.20", "0.20").unwrap();
    let begun = Instant::now();
    let Decision::Later(decision) = decide(&budgets, &[], "0.40", DAY) else {
        unreachable!("it would fit if nothing were reserved");
    };
    assert!(decision.await.is_ok());
    assert!(begun.elapsed() <= secs(11), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_queue_has_an_end() {
    let (budgets, book) = one_dollar();
    let held = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let line: Vec<_> = (0..MAX_QUEUED_RESERVATIONS).map(|_| waits(&budgets, "0.10")).collect();
    let Decision::Now(Err(refusal)) = decide(&budgets, &[], "0.10", secs(60)) else {
        unreachable!("the queue is full");
    };
    assert_eq!(
        refusal.reason,
        RefusalReason::QueueFull {
            most: MAX_QUEUED_RESERVATIONS
        }
    );
    assert_eq!(refusal.retry_after(), Some(secs(1)));
    assert!(
        refusal.to_string().contains("attempts waiting for reserved money"),
        "{refusal}"
    );
    drop(line);
    drop(waits(&budgets, "0.10"));
    drop(held);
    assert_eq!(book.accounts()[0].reserved, usd("0"));
}

/// Whatever ends or is dropped in whatever order: the first one, if it fits, is awake.
#[tokio::test(start_paused = true)]
async fn no_wake_up_is_lost_whatever_is_dropped() {
    for seed in 0..300 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (budgets, book) = one_dollar();
        let mut held = vec![reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap()];
        let mut line: VecDeque<Waiting> = VecDeque::new();
        for _ in 0..40 {
            match dice.u8(..6) {
                0 | 1 => {
                    let want = ["0.10", "0.30", "0.70"][dice.usize(..3)];
                    match decide(&budgets, &[], want, secs(60)) {
                        Decision::Now(free) => held.push(free.unwrap()),
                        Decision::Later(decision) => {
                            let mut waiting: Waiting = task::spawn(decision);
                            assert!(waiting.poll().is_pending());
                            line.push_back(waiting);
                        }
                    }
                }
                2 if !line.is_empty() => drop(line.remove(dice.usize(..line.len()))),
                3 if !held.is_empty() => drop(held.swap_remove(dice.usize(..held.len()))),
                _ if !line.is_empty() => {
                    let at = dice.usize(..line.len());
                    if let Some(got) = got(&mut line[at]) {
                        held.push(got);
                        drop(line.remove(at));
                    }
                }
                _ => {}
            }
            if held.is_empty() && line.is_empty() {
                held.push(reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap());
            }
        }
        // All that is held ends: those that wait are served one after another, woken each time.
        held.clear();
        while let Some(mut first) = line.pop_front() {
            assert!(got(&mut first).is_some(), "seed {seed}: {} wait behind it", line.len());
        }
        assert_eq!(book.accounts()[0].reserved, usd("0"), "seed {seed}");
    }
}

/// Futures that are not polled, as those of a buffered stream that is not read, do not hold up the rest.
#[tokio::test(start_paused = true)]
async fn those_that_are_not_polled_are_passed_over() {
    for polled_once in [false, true] {
        let (budgets, _) = one_dollar();
        let held = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
        let mut asleep: Vec<Waiting> = (0..8)
            .map(|_| {
                let Decision::Later(decision) = decide(&budgets, &[], "0.10", secs(60)) else {
                    unreachable!("the money is reserved");
                };
                let mut waiting = task::spawn(decision);
                assert!(!polled_once || waiting.poll().is_pending());
                waiting
            })
            .collect();
        let Decision::Later(behind) = decide(&budgets, &[], "0.10", secs(60)) else {
            unreachable!("the money is reserved");
        };
        let behind = tokio::spawn(behind);
        advance(secs(1)).await;
        drop(held);
        let begun = Instant::now();
        let got = behind.await.unwrap().unwrap();
        assert!(begun.elapsed() < secs(1), "{:?}", begun.elapsed());
        let Decision::Now(Ok(another)) = decide(&budgets, &[], "0.10", secs(60)) else {
            unreachable!("none that asks waits before it");
        };
        // Polled again, they have their place again.
        let mut served = Vec::new();
        for waiting in &mut asleep {
            let std::task::Poll::Ready(verdict) = waiting.poll() else {
                unreachable!("the money is there");
            };
            served.push(verdict.unwrap());
        }
        drop((got, another, served));
    }
}

/// A task that is slow, and polled after it was passed over, is woken as before.
#[tokio::test(start_paused = true)]
async fn one_that_was_passed_over_keeps_its_place() {
    let (budgets, _) = one_dollar();
    let held = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let [mut slow, mut next] = [(); 2].map(|()| waits(&budgets, "1.00"));
    drop(held);
    advance(secs(1)).await;
    let held = got(&mut next).expect("the first one did not ask");
    assert!(got(&mut slow).is_none(), "the money is reserved again");
    let mut last = waits(&budgets, "1.00");
    drop(held);
    let held = got(&mut slow).expect("it is the first");
    assert!(got(&mut last).is_none());
    drop(held);
    assert!(got(&mut last).is_some());
}

/// A stream of attempts at one account does not take the money of all before one that has waited for it.
#[tokio::test(start_paused = true)]
async fn one_that_waits_at_another_account_is_not_overtaken() {
    let (budgets, _) = book_of([
        Budget::usd("tenant", "1.00").unwrap().each("tenant"),
        Budget::usd("all", "1.50").unwrap(),
    ]);
    let (acme, globex) = ([("tenant", "acme")], [("tenant", "globex")]);
    let first = reserve(&budgets, &tags(&acme), "0.80", "0.80").unwrap();
    let other = reserve(&budgets, &tags(&globex), "0.20", "0.20").unwrap();
    let wait = |pairs: &[(&str, &str)], want: &str| {
        let Decision::Later(decision) = decide(&budgets, pairs, want, secs(60)) else {
            unreachable!("the money is reserved");
        };
        let mut waiting: Waiting = task::spawn(decision);
        assert!(waiting.poll().is_pending());
        waiting
    };
    let own = wait(&acme, "0.40");
    // Its account has eighty cents, that of all has fifty: it waits there.
    let mut older = wait(&globex, "0.80");
    // At both of its accounts one waits: it waits at its own.
    let mut younger = wait(&acme, "0.70");
    drop((own, first));
    assert!(got(&mut younger).is_none(), "it came after the other");
    let held = got(&mut older).expect("it came first");
    assert!(got(&mut younger).is_none(), "fifty cents are left");
    drop((held, other));
    assert!(got(&mut younger).is_some());
}

/// What no end of a reservation helps is refused at once, however many wait.
#[tokio::test(start_paused = true)]
async fn what_is_spent_is_refused_at_once_behind_others() {
    let (budgets, _) = one_dollar();
    reserve(&budgets, &tags(&[]), "0.50", "0.50")
        .unwrap()
        .settle(usd("0.50"));
    let _held = reserve(&budgets, &tags(&[]), "0.50", "0.50").unwrap();
    let _waits = waits(&budgets, "0.40");
    for want in ["0.60", "2.00"] {
        let Decision::Now(Err(refusal)) = decide(&budgets, &[], want, secs(60)) else {
            unreachable!("it never fits");
        };
        assert!(matches!(refusal.reason, RefusalReason::Spent { .. }), "{refusal}");
    }
}

/// A place is given up wherever its attempt is dropped, be there no runtime.
#[test]
fn a_wait_begins_without_a_runtime() {
    let (budgets, _) = one_dollar();
    let held = reserve(&budgets, &tags(&[]), "1.00", "1.00").unwrap();
    let Decision::Later(decision) = decide(&budgets, &[], "0.10", secs(60)) else {
        unreachable!("the money is reserved");
    };
    drop((decision, held));
    assert!(matches!(decide(&budgets, &[], "1.00", secs(60)), Decision::Now(Ok(_))));
}
