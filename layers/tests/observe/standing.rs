//! Gauges of what stands by itself: budgets, and what waits for a ledger.

use std::sync::Arc;

use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore, Window},
    observe::{record_budgets, record_ledger},
};

use super::recorder::record;
use crate::support::{DAY, usd};

#[tokio::test(start_paused = true)]
async fn of_each_budget_the_account_that_has_the_least_left_is_shown() {
    let accounts = InMemoryBudgetStore::new();
    let budget = Budget::usd("tenant-day", "2").unwrap().per(Window::Day).each("tenant");
    let budgets = Budgets::in_store([budget], Arc::new(accounts.clone())).unwrap();
    for (tenant, spent) in [("acme", "0.50"), ("globex", "1.75"), ("initech", "1.00")] {
        let lines = budgets.lines(&Tags::new([("tenant", tenant)]).unwrap(), "", "");
        accounts.adjust(&lines, usd(spent), UtcTime::now());
    }
    let recorded = record();
    record_budgets(&accounts.accounts());
    record_ledger(7, 3);
    let all = recorded.take();
    let value = |name: &str| all[name].values[0].to_string();
    let shown =
        ["cap", "spent", "reserved", "left"].map(|what| value(&format!("llm.budget.{what}{{llm.budget=tenant-day}}")));
    assert_eq!(shown, ["2", "1.75", "0", "0.25"]);
    assert_eq!([value("llm.ledger.waiting{}"), value("llm.ledger.lost{}")], ["7", "3"]);
    // A window that ends is seen although nothing is called.
    tokio::time::advance(DAY).await;
    record_budgets(&accounts.accounts());
    let all = recorded.take();
    assert_eq!(all["llm.budget.left{llm.budget=tenant-day}"].values, [2.0]);
}
