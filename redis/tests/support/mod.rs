//! Budgets in a store, and what is asked of them.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::allow_attributes, reason = "the same")]
#![allow(clippy::unwrap_used, reason = "a test that fails here should say so")]

use std::sync::Arc;

use tower_llm_layers::{
    Tags, UsdAmount, UtcTime,
    budget::{Ask, Budget, BudgetStore, Budgets, Decision, Refusal, Reservation},
};
use tower_llm_redis::{RedisBudgets, Store};

pub(crate) fn usd(text: &str) -> UsdAmount {
    text.parse().unwrap()
}

/// One budget over everything.
pub(crate) fn budgets(store: &Store, cap: &str) -> (Budgets, RedisBudgets) {
    let shared = store.budgets();
    let budget = Budget::usd("all", cap).unwrap();
    (Budgets::in_store([budget], Arc::new(shared.clone())).unwrap(), shared)
}

/// Asks for exactly this much on every budget.
pub(crate) async fn ask(store: &RedisBudgets, budgets: &Budgets, amount: &str) -> Result<Reservation, Box<Refusal>> {
    ask_between(store, budgets, amount, amount).await
}

pub(crate) async fn ask_between(
    store: &RedisBudgets,
    budgets: &Budgets,
    want: &str,
    at_least: &str,
) -> Result<Reservation, Box<Refusal>> {
    let ask = Ask {
        lines: budgets.lines(&Tags::default(), "openrouter", "a/b"),
        want: usd(want),
        at_least: usd(at_least),
        at: UtcTime::now(),
    };
    match store.reserve(ask) {
        Decision::Now(decision) => decision,
        Decision::Later(decision) => decision.await,
    }
}
