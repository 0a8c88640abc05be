//! Windows that roll, a brake on an hour, and resets by hand.

use std::time::Duration;

use tokio::time::advance;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Decision, MAX_PER_HOUR, RefusalReason, ReserveRequest, Window},
};

use super::{book_of, reserve, state, tags};
use crate::support::usd;

const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// An amount counts up to so much longer.
const PART: Duration = Duration::from_secs(120);

fn hour(cap: &str) -> Budget {
    Budget::usd("hour", cap).unwrap().per(Window::Rolling(HOUR))
}

#[tokio::test(start_paused = true)]
async fn what_was_spent_is_free_again_a_window_later_and_the_refusal_says_when() {
    let (budgets, book) = book_of([hour("1.00")]);
    let all = Tags::default();
    reserve(&budgets, &all, "0.60", "0.60").unwrap().settle(usd("0.60"));
    advance(20 * MINUTE).await;
    reserve(&budgets, &all, "0.30", "0.30").unwrap().settle(usd("0.30"));
    advance(5 * MINUTE).await;
    // The first of both must be free again.
    let refused = reserve(&budgets, &all, "0.50", "0.50").unwrap_err();
    assert!(matches!(refused.reason, RefusalReason::Spent { .. }), "{refused}");
    assert!(
        refused.to_string().contains("enough of it is free again at"),
        "{refused}"
    );
    let wait = refused.retry_after().unwrap();
    assert!(wait > 35 * MINUTE && wait <= 35 * MINUTE + PART, "{wait:?}");
    advance(wait - Duration::from_millis(1)).await;
    assert!(
        reserve(&budgets, &all, "0.50", "0.50").is_err(),
        "not a millisecond earlier"
    );
    advance(Duration::from_millis(1)).await;
    let held = reserve(&budgets, &all, "0.50", "0.50").unwrap();
    assert_eq!(state(&book, "hour").settled, usd("0.30"));
    drop(held);
    // More than the cap is never free.
    assert_eq!(reserve(&budgets, &all, "1.50", "1.50").unwrap_err().retry_after(), None);
    let full = state(&book, "hour").resets.unwrap();
    assert!(full.since(UtcTime::now()) <= 20 * MINUTE + PART, "{full}");
    advance(HOUR).await;
    assert_eq!(state(&book, "hour").settled, usd("0"));
    assert_eq!(state(&book, "hour").resets, None, "nothing is spent");
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_takes_what_leaves_the_window() {
    let (budgets, _) = book_of([hour("1.00")]);
    let all = Tags::default();
    reserve(&budgets, &all, "0.60", "0.60").unwrap().settle(usd("0.60"));
    advance(59 * MINUTE).await;
    // It would fit without what is held, so it waits; then it fits beside it.
    let held = reserve(&budgets, &all, "0.40", "0.40").unwrap();
    let ask = ReserveRequest::new(budgets.lines(&all, "", ""), usd("0.30"), UtcTime::now());
    let begun = tokio::time::Instant::now();
    let Decision::Later(later) = budgets.reserve_queued(ask, begun + HOUR) else {
        unreachable!()
    };
    later.await.unwrap().settle(usd("0.10"));
    assert!(begun.elapsed() <= MINUTE + PART, "{:?}", begun.elapsed());
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn an_hour_that_costs_too_much_is_braked_or_reported() {
    let brake = Budget::max_per_hour(usd("1.00")).unwrap();
    let (budgets, book) = book_of([brake]);
    let all = Tags::default();
    reserve(&budgets, &all, "1.00", "1.00").unwrap().settle(usd("1.00"));
    let refused = reserve(&budgets, &all, "0.01", "0.01").unwrap_err();
    assert!(
        refused.retry_after().is_some_and(|wait| wait <= HOUR + PART),
        "{refused}"
    );
    assert_eq!(state(&book, MAX_PER_HOUR).settled, usd("1.00"));
    let (budgets, book) = book_of([Budget::max_per_hour(usd("1.00")).unwrap().soft()]);
    reserve(&budgets, &all, "2.00", "2.00").unwrap().settle(usd("2.00"));
    assert!(reserve(&budgets, &all, "2.00", "2.00").is_ok(), "it only warns");
    assert_eq!(state(&book, MAX_PER_HOUR).settled, usd("2.00"));
}

#[tokio::test(start_paused = true)]
async fn bills_and_entries_of_the_past_count_as_long_as_they_would_have() {
    let (budgets, book) = book_of([hour("1.00")]);
    let lines = budgets.lines(&Tags::default(), "", "");
    let now = UtcTime::now();
    book.adjust(&lines, usd("0.10"), now.before(2 * HOUR));
    book.adjust(&lines, usd("0.20"), now.before(50 * MINUTE));
    book.adjust(&lines, usd("0.40"), now);
    assert_eq!(state(&book, "hour").settled, usd("0.60"), "the first is too old");
    book.adjust(&lines, usd("-0.05"), now.before(50 * MINUTE));
    advance(10 * MINUTE + PART).await;
    assert_eq!(state(&book, "hour").settled, usd("0.40"));
    // More is taken back than was spent.
    book.adjust(&lines, usd("-9"), UtcTime::now());
    assert_eq!(state(&book, "hour").settled, usd("0"));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_keeps_what_is_spent_and_lets_it_end() {
    let (budgets, book) = book_of([hour("1.00")]);
    let at = |at: UtcTime| ReserveRequest::new(budgets.lines(&Tags::default(), "", ""), usd("0.10"), at);
    let Decision::Now(Ok(held)) = budgets.reserve(at(UtcTime::now().after(1_000 * HOUR))) else {
        unreachable!()
    };
    held.settle(usd("0.10"));
    reserve(&budgets, &Tags::default(), "0.90", "0.90")
        .unwrap()
        .settle(usd("0.90"));
    assert!(reserve(&budgets, &Tags::default(), "0.10", "0.10").is_err());
    advance(HOUR + PART).await;
    assert_eq!(state(&book, "hour").settled, usd("0"));
}

#[tokio::test(start_paused = true)]
async fn a_reset_by_hand_forgets_what_is_spent_and_keeps_what_is_reserved() {
    let (budgets, book) = book_of([
        Budget::usd("tenant", "1.00").unwrap().per(Window::Day).each("tenant"),
        hour("2.00"),
    ]);
    let acme = tags(&[("tenant", "acme")]);
    reserve(&budgets, &acme, "0.50", "0.50").unwrap().settle(usd("0.50"));
    let held = reserve(&budgets, &acme, "0.30", "0.30").unwrap();
    assert!(budgets.reset("tenant", &acme));
    let tenant = state(&book, "tenant");
    assert_eq!((tenant.settled, tenant.reserved), (usd("0"), usd("0.30")));
    assert_eq!(state(&book, "hour").settled, usd("0.50"), "only the one that was named");
    assert!(budgets.reset("hour", &Tags::default()));
    assert_eq!(state(&book, "hour").settled, usd("0"));
    held.settle(usd("0.20"));
    assert_eq!(state(&book, "tenant").settled, usd("0.20"));
    assert!(!budgets.reset("nobody", &acme), "there is no such budget");
    assert!(!budgets.reset("tenant", &Tags::default()), "whose account?");
}
