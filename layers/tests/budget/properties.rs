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
    /// Time passes, in hours.
    Wait(u64),
    /// A bill comes late: up or down.
    Adjust(i64, usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0_u64..3_000, 0_u64..=100, 0_usize..3).prop_map(|(want, share, who)| Act::Reserve(want, share, who)),
        3 => (any::<usize>(), 0_u64..200).prop_map(|(which, share)| Act::Settle(which, share)),
        1 => any::<usize>().prop_map(Act::Drop),
        1 => any::<usize>().prop_map(Act::Panic),
        1 => (0_u64..800).prop_map(Act::Wait),
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
    ])
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
            for act in acts {
                match act {
                    Act::Reserve(want, share, number) => {
                        let ask = ReserveRequest {
                            lines: budgets.lines(&who(number), "router", "a/b"),
                            want: UsdAmount::from_pico(want.into()),
                            at_least: UsdAmount::from_pico((want * share / 100).into()),
                            at: UtcTime::now(),
                        };
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
                    Act::Wait(hours) => advance(DAY / 24 * u32::try_from(hours).unwrap()).await,
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
