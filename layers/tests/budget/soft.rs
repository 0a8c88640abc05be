//! Budgets that only warn, in a store that has no more room for accounts.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, Budgets, Decision, InMemoryBudgetStore, RefusalReason, ReserveRequest},
};

use super::{reserve, state, tags};
use crate::support::{
    log::{listen, messages},
    usd,
};

const NO_ROOM: &str = "no room for an account: what it spent is not counted";

/// Budgets in a store with room for about so many accounts.
fn with_room<const N: usize>(accounts: usize, budgets: [Budget; N]) -> (Budgets, InMemoryBudgetStore) {
    let book = InMemoryBudgetStore::with_room(accounts);
    (Budgets::in_store(budgets, Arc::new(book.clone())).unwrap(), book)
}

fn watch() -> Budget {
    Budget::usd("watch", "1.00").unwrap().each("tenant").soft()
}

#[tokio::test(start_paused = true)]
async fn too_many_accounts_refuse_no_attempt_that_is_only_watched() {
    listen();
    let (budgets, book) = with_room(0, [watch()]);
    let acme = tags(&[("tenant", "acme")]);
    for _ in 0..8 {
        let held = reserve(&budgets, &acme, "4.00", "4.00").unwrap();
        assert_eq!(held.amount(), usd("4.00"));
        held.settle(usd("4.00"));
    }
    let ask = ReserveRequest::new(budgets.lines(&acme, "router", "a/b"), usd("4.00"), UtcTime::now());
    let decision = budgets.reserve_queued(ask, Instant::now() + Duration::from_secs(60));
    assert!(matches!(decision, Decision::Now(Ok(_))), "{decision:?}");
    assert!(book.accounts().is_empty());
    let logged = messages().into_iter().filter(|message| message == NO_ROOM).count();
    assert_eq!(logged, 4, "the first, the second, the fourth, the eighth");
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_refuses_counts_all_beside_one_that_has_no_room() {
    let (budgets, book) = with_room(64, [Budget::usd("all", "1.00").unwrap(), watch()]);
    for number in 0..200 {
        let tenant = tags(&[("tenant", &number.to_string())]);
        reserve(&budgets, &tenant, "0.005", "0.005")
            .unwrap()
            .settle(usd("0.005"));
    }
    assert!(book.accounts().len() <= 64);
    assert_eq!(
        (state(&book, "all").settled, state(&book, "all").reserved),
        (usd("1.00"), usd("0"))
    );
    let refused = reserve(&budgets, &tags(&[("tenant", "new")]), "0.005", "0.005").unwrap_err();
    assert_eq!(refused.budget.name(), "all");
    assert!(matches!(refused.reason, RefusalReason::Spent { .. }), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_refuses_still_does_so_without_room() {
    let hard = Budget::usd("tenant", "1.00").unwrap().each("tenant");
    let (budgets, _) = with_room(0, [watch(), hard]);
    let refused = reserve(&budgets, &tags(&[("tenant", "acme")]), "0.10", "0.10").unwrap_err();
    assert_eq!(refused.budget.name(), "tenant");
    assert!(
        matches!(refused.reason, RefusalReason::TooManyAccounts { .. }),
        "{refused}"
    );
    assert!(
        reserve(&budgets, &Tags::default(), "0.10", "0.10").is_ok(),
        "no budget is for it"
    );
}
