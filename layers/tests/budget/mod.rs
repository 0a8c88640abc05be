//! Budgets: scopes, windows, holds.

mod clocks;
mod flood;
mod marks;
mod needless;
mod properties;
mod replaced;
mod resets;
mod rolling;
mod soft;
mod spent_before;
mod turns;
mod windows;

use std::sync::Arc;

use tokio::time::advance;
use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{
        AccountState, Budget, BudgetError, BudgetStore, Budgets, Decision, InMemoryBudgetStore, Refusal, RefusalReason,
        Reservation, ReserveRequest, Window,
    },
};

use crate::support::{DAY, usd};

/// Budgets over a book that can be looked at.
pub(crate) fn book_of<const N: usize>(budgets: [Budget; N]) -> (Budgets, InMemoryBudgetStore) {
    let book = InMemoryBudgetStore::new();
    (Budgets::in_store(budgets, Arc::new(book.clone())).unwrap(), book)
}

pub(crate) fn tags(pairs: &[(&str, &str)]) -> Tags {
    Tags::new(pairs.iter().copied()).unwrap()
}

fn reserve(budgets: &Budgets, tags: &Tags, want: &str, at_least: &str) -> Result<Reservation, Box<Refusal>> {
    let ask =
        ReserveRequest::new(budgets.lines(tags, "router", "a/b"), usd(want), UtcTime::now()).at_least(usd(at_least));
    match budgets.reserve(ask) {
        Decision::Now(decision) => decision,
        Decision::Later(_) => unreachable!("a book decides at once"),
    }
}

fn state(book: &InMemoryBudgetStore, name: &str) -> AccountState {
    let accounts = book.accounts();
    accounts.into_iter().find(|state| state.budget.name() == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_tag_has_the_whole_amount() {
    let (budgets, book) = book_of([Budget::usd("tenant", "1.00").unwrap().each("tenant")]);
    let (acme, globex) = (tags(&[("tenant", "acme")]), tags(&[("tenant", "globex")]));
    let _held = reserve(&budgets, &acme, "0.80", "0.80").unwrap();
    assert!(reserve(&budgets, &acme, "0.80", "0.80").is_err());
    assert!(reserve(&budgets, &globex, "0.80", "0.80").is_ok());
    assert!(
        budgets.lines(&tags(&[("team", "x")]), "router", "a/b").is_empty(),
        "not for calls without the tag"
    );
    let mut names: Vec<_> = book.accounts().into_iter().map(|state| state.account).collect();
    names.sort();
    assert_eq!(names, ["tenant=acme", "tenant=globex"]);
}

#[tokio::test(start_paused = true)]
async fn scopes_are_any_set_of_tags_models_and_upstreams() {
    let all = [
        Budget::usd("search", "1").unwrap().only("team", "search"),
        Budget::usd("model", "1").unwrap().each("model"),
        Budget::usd("pair", "1")
            .unwrap()
            .each("tenant")
            .only("upstream", "router"),
    ];
    let (budgets, _) = book_of(all);
    let named = |tags: &Tags, upstream: &str| {
        let lines = budgets.lines(tags, upstream, "a/b");
        lines
            .iter()
            .map(|line| line.budget.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(named(&Tags::default(), "router"), ["model"]);
    assert_eq!(named(&tags(&[("team", "search")]), "router"), ["search", "model"]);
    assert_eq!(
        named(&tags(&[("team", "other"), ("tenant", "acme")]), "router"),
        ["model", "pair"]
    );
    assert_eq!(named(&tags(&[("tenant", "acme")]), "openai"), ["model"]);
    // A tag of the same name goes before the candidate's own.
    let lines = budgets.lines(&tags(&[("model", "mine")]), "router", "a/b");
    assert!(lines[0].account.ends_with("mine"));
}

#[tokio::test(start_paused = true)]
async fn values_that_look_like_two_make_one_account_each() {
    let (budgets, _) = book_of([Budget::usd("pair", "1").unwrap().each("model").each("tenant")]);
    let account = |model: &str, tenant: &str| {
        budgets.lines(&tags(&[("tenant", tenant)]), "router", model)[0]
            .account
            .clone()
    };
    assert_ne!(account("a\u{1f}b", "c"), account("a", "bc"));
    assert_ne!(account("a b", "c"), account("a", "b c"));
}

#[tokio::test(start_paused = true)]
async fn several_hold_all_or_nothing_and_grant_what_all_of_them_have() {
    let (budgets, book) = book_of([Budget::usd("a", "1.00").unwrap(), Budget::usd("b", "0.50").unwrap()]);
    let granted = reserve(&budgets, &Tags::default(), "0.70", "0.10").unwrap();
    assert_eq!(granted.amount(), usd("0.50"));
    let refused = reserve(&budgets, &Tags::default(), "0.20", "0.20").unwrap_err();
    assert_eq!(refused.budget.name(), "b");
    assert_eq!(
        (state(&book, "a").reserved, state(&book, "b").reserved),
        (usd("0.50"), usd("0.50"))
    );
    granted.settle(usd("0.30"));
    assert_eq!(
        (state(&book, "a").settled, state(&book, "a").reserved),
        (usd("0.30"), usd("0"))
    );
    assert_eq!(
        reserve(&budgets, &Tags::default(), "0.20", "0.20").unwrap().amount(),
        usd("0.20")
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_everything() {
    let (budgets, _) = book_of([Budget::usd("tenant-day", "5.00")
        .unwrap()
        .per(Window::Day)
        .each("tenant")]);
    let acme = tags(&[("tenant", "acme")]);
    reserve(&budgets, &acme, "4.00", "4.00").unwrap().settle(usd("3.5"));
    let _held = reserve(&budgets, &acme, "1.00", "1.00").unwrap();
    let refused = reserve(&budgets, &acme, "2.00", "1.75").unwrap_err();
    let midnight = UtcTime::now().day_start().after(DAY);
    assert_eq!(
        refused.to_string(),
        format!(
            "the budget `tenant-day` of tenant=acme cannot carry this: it needs at least $1.75, and of $5.00 $3.50 is spent, $1.00 is \
             reserved for attempts in flight, and $0.50 is free; it is full again at {midnight}"
        )
    );
    let to_midnight = midnight.since(UtcTime::now());
    assert_eq!(
        (refused.resets_in(), refused.retry_after()),
        (Some(to_midnight), Some(to_midnight))
    );
    // What is only reserved comes back sooner.
    let reserved = reserve(&budgets, &acme, "1.00", "0.75").unwrap_err();
    assert!(reserved.is_reserved(), "{reserved}");
    assert_eq!(reserved.retry_after(), Some(std::time::Duration::from_secs(1)));
    assert!(
        reserved
            .to_string()
            .ends_with("$0.50 is free; retry when an attempt in flight has ended"),
        "{reserved}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_window_is_full_again_when_it_begins_and_a_reservation_outlives_it() {
    let windows = [
        Window::Hour,
        Window::Day,
        Window::Week,
        Window::Month,
        Window::MonthFrom(31),
        Window::Ever,
    ];
    for window in windows {
        let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap().per(window)]);
        let all = Tags::default();
        reserve(&budgets, &all, "0.60", "0.60").unwrap().settle(usd("0.60"));
        let held = reserve(&budgets, &all, "0.30", "0.30").unwrap();
        let now = UtcTime::now();
        let Some(end) = window.end(now) else {
            advance(40 * DAY).await;
            assert_eq!(state(&book, "all").settled, usd("0.60"), "without end");
            continue;
        };
        advance(end.since(now) - std::time::Duration::from_millis(1)).await;
        assert!(reserve(&budgets, &all, "0.20", "0.20").is_err(), "{window}: not yet");
        advance(std::time::Duration::from_millis(2)).await;
        let stands = state(&book, "all");
        assert_eq!((stands.settled, stands.reserved), (usd("0"), usd("0.30")), "{window}");
        assert!(
            reserve(&budgets, &all, "0.80", "0.80").is_err(),
            "{window}: the reservation still counts"
        );
        held.settle(usd("0.25"));
        assert_eq!(
            state(&book, "all").settled,
            usd("0.25"),
            "{window}: spent where it ended"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_budget_only_counts() {
    let (budgets, book) = book_of([
        Budget::usd("soft", "1.00").unwrap().soft(),
        Budget::usd("hard", "9").unwrap(),
    ]);
    let held = reserve(&budgets, &Tags::default(), "4.00", "4.00").unwrap();
    assert_eq!(held.amount(), usd("4.00"));
    held.settle(usd("4.00"));
    assert_eq!(
        (state(&book, "soft").settled, state(&book, "soft").overrun),
        (usd("4.00"), usd("0"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_charge_beyond_every_reservation_is_overrun_and_the_invariant_holds() {
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
    let other = reserve(&budgets, &Tags::default(), "0.40", "0.40").unwrap();
    reserve(&budgets, &Tags::default(), "0.50", "0.50")
        .unwrap()
        .settle(usd("0.75"));
    let stands = state(&book, "all");
    assert_eq!(
        (stands.settled, stands.reserved, stands.overrun),
        (usd("0.60"), usd("0.40"), usd("0.15"))
    );
    drop(other);
    assert_eq!(
        reserve(&budgets, &Tags::default(), "1.00", "0.01").unwrap().amount(),
        usd("0.25"),
        "it is not forgotten"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reservation_that_is_dropped_or_panicked_over_is_released() {
    let (budgets, book) = book_of([Budget::usd("all", "1.00").unwrap()]);
    drop(reserve(&budgets, &Tags::default(), "1.00", "1.00").unwrap());
    let panicking = tokio::spawn({
        let budgets = budgets.clone();
        async move {
            let _held = reserve(&budgets, &Tags::default(), "1.00", "1.00").unwrap();
            panic!("on purpose");
        }
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(
        (state(&book, "all").settled, state(&book, "all").reserved),
        (usd("0"), usd("0"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_past_counts_only_in_its_own_window() {
    let (budgets, book) = book_of([
        Budget::usd("day", "1").unwrap().per(Window::Day),
        Budget::usd("ever", "1").unwrap(),
    ]);
    let lines = budgets.lines(&Tags::default(), "", "");
    book.adjust(&lines, usd("0.50"), UtcTime::now().before(2 * DAY));
    book.adjust(&lines, usd("0.20"), UtcTime::now());
    book.adjust(&lines, usd("-0.05"), UtcTime::now());
    assert_eq!(
        (state(&book, "day").settled, state(&book, "ever").settled),
        (usd("0.15"), usd("0.65"))
    );
    book.adjust(&lines, usd("-9"), UtcTime::now());
    assert_eq!(state(&book, "day").settled, UsdAmount::ZERO, "never below nothing");
}

#[tokio::test(start_paused = true)]
async fn room_is_made_by_what_stands_for_nothing_and_else_refused() {
    let book = InMemoryBudgetStore::with_room(64);
    let budget = Budget::usd("tenant", "1").unwrap().per(Window::Day).each("tenant");
    let budgets = Budgets::in_store([budget], Arc::new(book.clone())).unwrap();
    let mut refused = 0;
    for number in 0..2_000 {
        let tenant = tags(&[("tenant", &number.to_string())]);
        match reserve(&budgets, &tenant, "0.1", "0.1") {
            Ok(held) => held.settle(usd("0.1")),
            Err(refusal) => {
                assert!(
                    matches!(refusal.reason, RefusalReason::TooManyAccounts { most: 64 }),
                    "{refusal}"
                );
                refused += 1;
            }
        }
    }
    assert!(book.accounts().len() <= 64 && refused >= 2_000 - 64);
    advance(DAY).await;
    let newcomer = tags(&[("tenant", "newcomer")]);
    assert!(
        reserve(&budgets, &newcomer, "0.1", "0.1").is_ok(),
        "yesterday's make room"
    );
}

#[test]
fn an_invalid_budget_is_reported() {
    let error = |made: Result<Budget, BudgetError>| made.unwrap_err().to_string();
    assert!(error(Budget::usd("all", "0")).contains("zero or below"));
    assert!(error(Budget::usd("all", "-1")).contains("zero or below"));
    assert!(error(Budget::usd("all", "NaN")).contains("write e.g. `5.00`"));
    assert!(error(Budget::usd("a b", "1")).contains("\"a b\""));
    assert!(error(Budget::usd("", "1")).contains("letters"));
    assert_eq!("week".parse(), Ok(Window::Week));
    assert!(
        "fortnight"
            .parse::<Window>()
            .unwrap_err()
            .to_string()
            .contains("\"fortnight\"")
    );
    // A price more precise than money is rounded up, and never lost.
    assert_eq!(
        Budget::usd("all", "0.0000000000001").unwrap().cap(),
        UsdAmount::from_pico(1)
    );
}

#[tokio::test(start_paused = true)]
async fn one_account_is_read_by_its_line() {
    let (budgets, book) = book_of([Budget::usd("tenant", "1.00").unwrap().each("tenant")]);
    let acme = tags(&[("tenant", "acme")]);
    let line = budgets.lines(&acme, "router", "a/b").remove(0);
    assert_eq!(book.account(&line), None, "it was not used yet");
    let _held = reserve(&budgets, &acme, "0.80", "0.80").unwrap();
    let account = book.account(&line).unwrap();
    assert_eq!(account.reserved.to_string(), "$0.80");
    assert_eq!(account, state(&book, "tenant"));
}
