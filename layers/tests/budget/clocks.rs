//! Windows under a clock that steps.

use tokio::time::{Duration, advance};
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, Budgets, Decision, ReserveRequest, Window},
};

use super::{book_of, state};
use crate::support::{DAY, usd};

/// Reserves the whole dollar of a budget at this time, and gives it back unless it is spent.
fn whole(budgets: &Budgets, at: UtcTime, spends: bool) -> bool {
    let ask = ReserveRequest::new(budgets.lines(&Tags::default(), "router", "a/b"), usd("1"), at);
    let Decision::Now(decision) = budgets.reserve(ask) else {
        unreachable!("a book decides at once")
    };
    match decision {
        Ok(held) if spends => held.settle(usd("1")),
        Ok(held) => drop(held),
        Err(_) => return false,
    }
    true
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumped_ahead_and_came_back_freezes_no_budget() {
    for window in [Window::Day, Window::Week, Window::Month] {
        let (budgets, book) = book_of([Budget::usd("all", "1").unwrap().per(window)]);
        assert!(
            whole(&budgets, UtcTime::now().after(400 * DAY), false),
            "the clock is a year ahead"
        );
        // It is back: what is spent now is of the present window.
        assert!(whole(&budgets, UtcTime::now(), true));
        assert_eq!(state(&book, "all").settled, usd("1"), "what is spent stays");
        assert!(!whole(&budgets, UtcTime::now(), false), "of this window");
        let end = window.end(UtcTime::now()).unwrap();
        advance(end.since(UtcTime::now())).await;
        assert!(whole(&budgets, UtcTime::now(), false), "{window}: full again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_back_over_the_end_of_a_window_begins_none() {
    let (budgets, book) = book_of([Budget::usd("all", "1").unwrap().per(Window::Day)]);
    let midnight = Window::Day.end(UtcTime::now()).unwrap();
    advance(midnight.since(UtcTime::now()) + Duration::from_secs(5)).await;
    assert!(whole(&budgets, UtcTime::now(), true));
    // Ten seconds back, to the day before.
    assert!(!whole(&budgets, midnight.before(Duration::from_secs(5)), false));
    assert_eq!(state(&book, "all").settled, usd("1"));
    assert!(
        !whole(&budgets, midnight.after(Duration::from_secs(6)), false),
        "the same day still"
    );
}
