//! Whatever happens in whichever order: settled + reserved ≤ cap, at every step.

use proptest::{collection::vec, prelude::*};
use tokio::time::advance;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Budget, Budgets, Decision, InMemoryBudgetStore, Reservation, ReserveRequest, Window},
};

use super::{book_of, tags};
use crate::support::{DAY, cases, in_virtual_time};

#[derive(Debug, Clone)]
enum Act {
    /// Asks for so much, and at least a share of it in percent, for one of three tenants.
    Reserve(u64, u64, usize),
    /// Settles one of the holds at a share of it in percent: more than all of it where the bill is larger.
    Settle(usize, u64),
    /// Drops one of the holds.
    Drop(usize),
    /// Panics with one of the holds.
    Panic(usize),
    /// Time passes, in minutes.
    Wait(u64),
    /// The system's clock is off by so many minutes from now on: requests have its time.
    Step(i64),
    /// A bill comes late: up or down.
    Adjust(i64, usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0_u64..3_000, 0_u64..=100, 0_usize..3).prop_map(|(want, share, who)| Act::Reserve(want, share, who)),
        3 => (any::<usize>(), 0_u64..200).prop_map(|(which, share)| Act::Settle(which, share)),
        1 => any::<usize>().prop_map(Act::Drop),
        1 => any::<usize>().prop_map(Act::Panic),
        1 => (0_u64..48_000).prop_map(Act::Wait),
        2 => (0_u64..40).prop_map(Act::Wait),
        1 => (-100_000_i64..100_000).prop_map(Act::Step),
        1 => (-70_i64..70).prop_map(Act::Step),
        1 => (-2_000_i64..2_000, 0_usize..3).prop_map(|(by, who)| Act::Adjust(by, who)),
    ]
}

fn holds(book: &InMemoryBudgetStore) -> Result<(), TestCaseError> {
    for state in book.accounts() {
        prop_assert!(!state.settled.is_negative() && !state.reserved.is_negative() && !state.overrun.is_negative());
        let taken = state.settled.saturating_add(state.reserved);
        prop_assert!(state.budget.is_soft() || taken <= state.budget.cap(), "{:?}", state);
    }
    Ok(())
}

fn three() -> (Budgets, InMemoryBudgetStore) {
    book_of([
        Budget::new("all-day", UsdAmount::from_pico(7_000))
            .unwrap()
            .per(Window::Day),
        Budget::new("tenant-month", UsdAmount::from_pico(5_000))
            .unwrap()
            .per(Window::Month)
            .each("tenant"),
        Budget::new("team-ever", UsdAmount::from_pico(20_000))
            .unwrap()
            .only("team", "search"),
        Budget::new("soft", UsdAmount::from_pico(10)).unwrap().soft(),
        Budget::new("hour", UsdAmount::from_pico(6_000))
            .unwrap()
            .per(Window::Hour),
        Budget::new("rolling", UsdAmount::from_pico(8_000))
            .unwrap()
            .per(Window::Rolling(DAY / 24)),
        of_zone(
            Budget::new("berlin", UsdAmount::from_pico(9_000))
                .unwrap()
                .per(Window::MonthFrom(31)),
        ),
    ])
}

#[cfg(feature = "zones")]
fn of_zone(budget: Budget) -> Budget {
    budget.in_zone("Europe/Berlin".parse().unwrap())
}

#[cfg(not(feature = "zones"))]
fn of_zone(budget: Budget) -> Budget {
    budget
}

fn who(number: usize) -> Tags {
    let tenant = ["acme", "globex", "initech"][number];
    if number == 0 {
        tags(&[("tenant", tenant), ("team", "search")])
    } else {
        tags(&[("tenant", tenant)])
    }
}

fn take(held: &mut Vec<Reservation>, which: usize) -> Option<Reservation> {
    (!held.is_empty()).then(|| held.swap_remove(which % held.len()))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_law_holds_at_every_step(acts in vec(act(), 1..80)) {
        in_virtual_time(async move {
            let (budgets, book) = three();
            let mut held: Vec<Reservation> = Vec::new();
            let mut off = 0_i64;
            for act in acts {
                match act {
                    Act::Reserve(want, share, number) => {
                        let at = UtcTime::from_millis(UtcTime::now().millis().saturating_add_signed(off * 60_000));
                        let lines = budgets.lines(&who(number), "router", "a/b");
                        let ask = ReserveRequest::new(lines, UsdAmount::from_pico(want.into()), at)
                            .at_least(UsdAmount::from_pico((want * share / 100).into()));
                        let Decision::Now(decision) = budgets.reserve(ask) else { unreachable!() };
                        if let Ok(granted) = decision {
                            prop_assert!(granted.amount().pico() <= i128::from(want));
                            prop_assert!(granted.amount().pico() >= i128::from(want * share / 100));
                            held.push(granted);
                        }
                    }
                    Act::Settle(which, share) => {
                        if let Some(one) = take(&mut held, which) {
                            let spent = one.amount().pico() * i128::from(share) / 100;
                            one.settle(UsdAmount::from_pico(spent));
                        }
                    }
                    Act::Drop(which) => drop(take(&mut held, which)),
                    Act::Panic(which) => {
                        if let Some(one) = take(&mut held, which) {
                            let panicking = tokio::spawn(async move {
                                let _one = one;
                                std::panic::resume_unwind(Box::new("on purpose"));
                            });
                            prop_assert!(panicking.await.unwrap_err().is_panic());
                        }
                    }
                    Act::Wait(minutes) => advance(DAY / 1_440 * u32::try_from(minutes).unwrap()).await,
                    Act::Step(minutes) => off = minutes,
                    Act::Adjust(by, number) => {
                        let lines = budgets.lines(&who(number), "router", "a/b");
                        let store: &dyn tower_llm_layers::budget::BudgetStore = &book;
                        store.adjust(&lines, UsdAmount::from_pico(by.into()), UtcTime::now());
                    }
                }
                holds(&book)?;
            }
            held.clear();
            holds(&book)?;
            for state in book.accounts() {
                prop_assert_eq!(state.reserved, UsdAmount::ZERO);
            }
            Ok(())
        })?;
    }
}

/// What is wanted, how much of it is spent, and how long after.
type Spending = (u64, u64, u64);

/// A time near which daylight saving time begins and ends in Berlin in 2027, in milliseconds.
const CHANGES: [u64; 2] = [1_806_192_000_000, 1_824_940_800_000];

proptest! {
    #![proptest_config(cases(200))]

    /// Of what is really spent and held, no window holds more than the cap: none that rolls, whichever its beginning, and no day of a zone
    /// on which daylight saving time begins or ends. A refusal is true: at the time that it names, and no earlier, the same attempt passes.
    #[test]
    fn no_window_holds_more_than_its_cap(spendings in vec((1_u64..600, 0_u64..=100, 0_u64..30), 1..60), which in 0_usize..3) {
        in_virtual_time(async move {
            let cap = UsdAmount::from_pico(1_000);
            let budget = Budget::new("a", cap).unwrap();
            let budget = match which {
                0 => budget.per(Window::Rolling(DAY / 24)),
                _ => of_zone(budget.per(Window::Day)),
            };
            if let Some(change) = which.checked_sub(1).map(|which| CHANGES[which]) {
                let wait = change.saturating_sub(UtcTime::now().millis() + 20 * 60_000);
                advance(std::time::Duration::from_millis(wait)).await;
            }
            let (budgets, _) = book_of([budget.clone()]);
            let mut spent: Vec<(UtcTime, i128)> = Vec::new();
            for (want, share, minutes) in spendings as Vec<Spending> {
                let want = UsdAmount::from_pico(want.into());
                let ask = || ReserveRequest::new(budgets.lines(&Tags::default(), "", ""), want, UtcTime::now());
                let mut decision = now(budgets.reserve(ask()));
                if let Err(refusal) = &decision {
                    let wait = refusal.retry_after().unwrap();
                    advance(wait - std::time::Duration::from_millis(1)).await;
                    prop_assert!(now(budgets.reserve(ask())).is_err(), "{} was free earlier", refusal);
                    advance(std::time::Duration::from_millis(1)).await;
                    decision = now(budgets.reserve(ask()));
                }
                let held = decision.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
                let mut taken = held.amount().pico();
                let at = UtcTime::now();
                let start = match which {
                    0 => at.before(DAY / 24),
                    _ => budget.window_start(at),
                };
                taken += spent.iter().filter(|(time, _)| *time > start || which > 0 && *time == start).map(|(_, amount)| amount).sum::<i128>();
                prop_assert!(taken <= cap.pico(), "{} at {}", taken, at);
                let amount = held.amount().pico() * i128::from(share) / 100;
                held.settle(UsdAmount::from_pico(amount));
                spent.push((at, amount));
                advance(DAY / 1_440 * u32::try_from(minutes).unwrap()).await;
            }
            Ok(())
        })?;
    }
}

fn now(decision: Decision) -> Result<Reservation, Box<tower_llm_layers::budget::Refusal>> {
    match decision {
        Decision::Now(decision) => decision,
        Decision::Later(_) => unreachable!("a book decides at once"),
    }
}
