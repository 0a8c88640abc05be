//! Budgets that are replaced while calls are in progress: what those spend counts in the window, and under the cap, that is in force.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, advance};
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{AccountState, Budget, Budgets, Decision, InMemoryBudgetStore, Reservation, ReserveRequest, Window},
};

use super::{book_of, reserve, state, tags};
use crate::support::usd;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn all(cap: &str) -> Budget {
    Budget::usd("all", cap).unwrap()
}

/// The only account.
fn only(book: &InMemoryBudgetStore) -> AccountState {
    let mut accounts = book.accounts();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts.remove(0)
}

/// An hourly budget with a call in flight is replaced by one without a window, or with a longer one; 8 of 10 are spent on that one, and the hour ends.
async fn replaced(longer: Window) -> (Budgets, Budgets, InMemoryBudgetStore, Reservation) {
    let (hourly, book) = book_of([all("10").per(Window::Hour)]);
    let in_flight = reserve(&hourly, &Tags::default(), "1", "1").unwrap();
    let others = hourly.with([all("10").per(longer)]).unwrap();
    others.activate();
    reserve(&others, &Tags::default(), "8", "8").unwrap().settle(usd("8"));
    advance(HOUR).await;
    (hourly, others, book, in_flight)
}

/// Within the month: the hour that ends is not its last one.
async fn away_from_the_end_of_the_month() {
    while Window::Month
        .end(UtcTime::now())
        .is_some_and(|end| end.since(UtcTime::now()) < 3 * HOUR)
    {
        advance(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_old_call_forgets_nothing_of_the_new_budget() {
    away_from_the_end_of_the_month().await;
    for longer in [Window::Ever, Window::Month, Window::Rolling(9 * HOUR)] {
        let (_, others, book, in_flight) = replaced(longer).await;
        in_flight.settle(usd("1"));
        assert_eq!(only(&book).spent(), usd("9"), "{longer}");
        assert!(
            reserve(&others, &Tags::default(), "2", "2").is_err(),
            "{longer}: 11 of 10"
        );
        assert_eq!(only(&book).budget.window(), longer);
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_of_an_old_call_forgets_nothing_of_the_new_budget() {
    away_from_the_end_of_the_month().await;
    for longer in [Window::Ever, Window::Month, Window::Rolling(9 * HOUR)] {
        let (hourly, others, book, in_flight) = replaced(longer).await;
        drop(reserve(&hourly, &Tags::default(), "1", "1").unwrap());
        drop(in_flight);
        assert_eq!(only(&book).spent(), usd("8"), "{longer}");
        assert!(
            reserve(&others, &Tags::default(), "3", "3").is_err(),
            "{longer}: 11 of 10"
        );
        let refused = reserve(&hourly, &Tags::default(), "3", "3").unwrap_err();
        assert_eq!(refused.budget.window(), longer);
    }
}

/// Also if nothing is spent on the new budget before the hour ends: what was spent in it before the change stays.
#[tokio::test(start_paused = true)]
async fn an_account_that_the_new_budget_has_not_touched_yet_is_the_new_budgets() {
    let (hourly, book) = book_of([all("10").per(Window::Hour)]);
    let none = Tags::default();
    reserve(&hourly, &none, "8", "8").unwrap().settle(usd("8"));
    let in_flight = reserve(&hourly, &none, "1", "1").unwrap();
    hourly.with([all("10")]).unwrap().activate();
    advance(HOUR).await;
    assert_eq!(only(&book).spent(), usd("8"));
    assert_eq!(only(&book).resets, None);
    in_flight.settle(usd("1"));
    assert_eq!(only(&book).spent(), usd("9"));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_settles_under_the_cap_in_force() {
    let none = Tags::default();
    // A cap is lowered, and a budget that only warned refuses from now on.
    for before in [all("10"), all("2").soft()] {
        let (old, book) = book_of([before]);
        let first = reserve(&old, &none, "2", "2").unwrap();
        let second = reserve(&old, &none, "2", "2").unwrap();
        let new = old.with([all("5")]).unwrap();
        new.activate();
        first.settle(usd("4"));
        let stands = state(&book, "all");
        assert_eq!(
            (stands.settled, stands.reserved, stands.overrun),
            (usd("3"), usd("2"), usd("1")),
            "settled and reserved stay within the cap"
        );
        drop(second);
        assert!(
            reserve(&old, &none, "1.5", "1.5").is_err(),
            "nor is there more for an old call"
        );
        assert!(reserve(&old, &none, "1", "1").is_ok());
    }
}

/// One that waits for money under the budgets before is served by those in force.
#[tokio::test(start_paused = true)]
async fn one_that_waits_is_decided_by_the_budget_in_force() {
    let (old, book) = book_of([all("10")]);
    let none = Tags::default();
    let held = reserve(&old, &none, "8", "8").unwrap();
    let ask = ReserveRequest::new(old.lines(&none, "", ""), usd("6"), UtcTime::now());
    let Decision::Later(waits) = old.reserve_queued(ask, Instant::now() + HOUR) else {
        unreachable!("the money is reserved")
    };
    let new = old.with([all("5")]).unwrap();
    new.activate();
    drop(held);
    let refused = waits.await.unwrap_err();
    assert_eq!(refused.budget.cap(), usd("5"), "{refused}");
    assert_eq!(only(&book).reserved, usd("0"));
}

/// A budget of another scope, or none of the name, has other accounts: those of the calls in flight keep their window.
#[tokio::test(start_paused = true)]
async fn accounts_that_no_budget_in_force_has_keep_their_own_rules() {
    let acme = tags(&[("tenant", "acme"), ("team", "search")]);
    let with_other_scope = all("1").each("tenant").each("team");
    for others in [vec![], vec![with_other_scope]] {
        let (hourly, book) = book_of([all("10").per(Window::Hour).each("tenant")]);
        let in_flight = reserve(&hourly, &acme, "6", "6").unwrap();
        hourly.with(others).unwrap().activate();
        in_flight.settle(usd("6"));
        assert_eq!(only(&book).settled, usd("6"));
        drop(reserve(&hourly, &acme, "4", "4").unwrap());
        advance(HOUR).await;
        assert_eq!(only(&book).settled, usd("0"), "its hour is over");
    }
}

/// Also if nothing was spent since, and what stands there was brought by budgets that were made apart.
#[tokio::test(start_paused = true)]
async fn an_account_is_shown_under_the_cap_of_its_line_or_of_the_budget_in_force() {
    let none = Tags::default();
    let (apart, book) = book_of([all("10")]);
    reserve(&apart, &none, "8", "8").unwrap().settle(usd("8"));
    let own = Budgets::in_store([all("20")], Arc::new(book.clone())).unwrap();
    let line = own.lines(&none, "", "").remove(0);
    assert_eq!(book.account(&line).unwrap().free(), usd("12"));
    own.with([all("30")]).unwrap().activate();
    assert_eq!(book.account(&line).unwrap().free(), usd("22"));
}

/// The last that was put in force counts, however often that changes.
#[tokio::test(start_paused = true)]
async fn budgets_that_are_put_in_force_again_count_again() {
    let none = Tags::default();
    let (hourly, book) = book_of([all("10").per(Window::Hour)]);
    let ever = hourly.with([all("10")]).unwrap();
    ever.activate();
    reserve(&ever, &none, "8", "8").unwrap().settle(usd("8"));
    hourly.activate();
    advance(HOUR).await;
    assert_eq!(only(&book).spent(), usd("0"), "an hour is over");
    reserve(&ever, &none, "3", "3").unwrap().settle(usd("3"));
    assert_eq!(only(&book).budget.window(), Window::Hour);
    ever.activate();
    advance(HOUR).await;
    assert_eq!(only(&book).spent(), usd("3"));
}

/// What is refilled before it comes into force counts in its own window.
#[tokio::test(start_paused = true)]
async fn budgets_that_are_not_in_force_yet_are_not_replaced_by_those_that_are() {
    away_from_the_end_of_the_month().await;
    let none = Tags::default();
    let (hourly, book) = book_of([all("10").per(Window::Hour)]);
    hourly.activate();
    reserve(&hourly, &none, "1", "1").unwrap().settle(usd("1"));
    let monthly = hourly.with([all("20").per(Window::Month)]).unwrap();
    assert_eq!(only(&book).budget.window(), Window::Hour);
    let lines = monthly.lines(&none, "", "");
    assert_eq!(lines[0].budget.window(), Window::Month);
    assert!(reserve(&monthly, &none, "15", "15").is_ok());
    monthly.activate();
    assert_eq!(hourly.lines(&none, "", "")[0].budget.window(), Window::Month);
}
