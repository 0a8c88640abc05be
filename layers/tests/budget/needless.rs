//! Attempts that reserve nothing: one that costs nothing always passes, one of an unknown cost if something is free.

use std::time::Duration;

use tokio::time::Instant;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Budget, Budgets, Decision, Refusal, RefusalReason, Reservation, ReserveRequest},
};

use super::{book_of, reserve};
use crate::support::usd;

/// An attempt that reserves nothing, and needs this much to be free; waiting in turn or not.
fn decide(budgets: &Budgets, needs_free: UsdAmount, waits: bool) -> Result<Reservation, Box<Refusal>> {
    let ask = ReserveRequest::new(
        budgets.lines(&Tags::default(), "router", "a/b"),
        UsdAmount::ZERO,
        UtcTime::now(),
    )
    .at_least(needs_free);
    let decision = if waits {
        budgets.reserve_queued(ask, Instant::now() + Duration::from_secs(60))
    } else {
        budgets.reserve(ask)
    };
    match decision {
        Decision::Now(verdict) => verdict,
        Decision::Later(_) => unreachable!("nothing is waited for"),
    }
}

const ANYTHING: UsdAmount = UsdAmount::from_pico(1);

#[tokio::test(start_paused = true)]
async fn what_costs_nothing_passes_a_budget_that_is_over_its_cap_and_an_unknown_cost_does_not() {
    for spent in ["1.00", "1.25"] {
        let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
        reserve(&budgets, &Tags::default(), "1.00", "1.00")
            .unwrap()
            .settle(usd(spent));
        for waits in [false, true] {
            let held = decide(&budgets, UsdAmount::ZERO, waits).unwrap();
            assert_eq!(held.amount(), usd("0"), "{spent} {waits}");
            let refused = decide(&budgets, ANYTHING, waits).unwrap_err();
            assert!(
                matches!(refused.reason, RefusalReason::Spent { .. }),
                "{spent} {waits}: {refused}"
            );
        }
        assert_eq!(book.accounts()[0].reserved, usd("0"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_cost_passes_below_the_cap_and_reserves_nothing() {
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
    reserve(&budgets, &Tags::default(), "0.99", "0.99")
        .unwrap()
        .settle(usd("0.99"));
    for waits in [false, true] {
        let held = decide(&budgets, ANYTHING, waits).unwrap();
        assert_eq!((held.amount(), book.accounts()[0].reserved), (usd("0"), usd("0")));
    }
}

/// What is reserved is in the way of an unknown cost until it ends, and never of what costs nothing.
#[tokio::test(start_paused = true)]
async fn what_costs_nothing_does_not_wait_behind_others() {
    let (budgets, _) = book_of([Budget::usd("all", "1.00").unwrap()]);
    let held = reserve(&budgets, &Tags::default(), "1.00", "1.00").unwrap();
    let ask = ReserveRequest::new(
        budgets.lines(&Tags::default(), "router", "a/b"),
        usd("0.50"),
        UtcTime::now(),
    );
    let Decision::Later(waits) = budgets.reserve_queued(ask, Instant::now() + Duration::from_secs(60)) else {
        unreachable!("the money is reserved");
    };
    assert!(decide(&budgets, UsdAmount::ZERO, true).is_ok());
    let refused = decide(&budgets, ANYTHING, false).unwrap_err();
    assert!(refused.is_reserved(), "{refused}");
    drop(held);
    assert!(waits.await.is_ok());
}
