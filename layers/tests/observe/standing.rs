//! Gauges of what stands by itself: budgets, and what waits for a ledger.

use std::sync::Arc;

use tower_llm_layers::{
    Tags, UtcTime,
    budget::{Budget, BudgetStore, Budgets, InMemoryBudgetStore, Window},
    observe::{BudgetGauges, record_budgets, record_ledger},
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

/// Else its last amounts would keep an alert firing for as long as the process lives.
#[tokio::test(start_paused = true)]
async fn a_budget_that_is_gone_from_its_store_is_shown_as_unknown() {
    let spent = |names: &[&str]| {
        let accounts = InMemoryBudgetStore::new();
        let budgets = names
            .iter()
            .map(|name| Budget::usd(name, "1").unwrap().per(Window::Day));
        let budgets = Budgets::in_store(budgets, Arc::new(accounts.clone())).unwrap();
        accounts.adjust(&budgets.lines(&Tags::default(), "", ""), usd("1"), UtcTime::now());
        accounts.accounts()
    };
    let recorded = record();
    let (one, another) = (BudgetGauges::default(), BudgetGauges::default());
    one.record(&spent(&["key-0", "key-1"]));
    another.record(&spent(&["key-2"]));
    record_budgets(&spent(&["key-3"]));
    one.record(&spent(&["key-1"]));
    another.record(&spent(&["key-2"]));
    let all = recorded.take();
    for what in ["cap", "spent", "reserved", "left"] {
        let gone = |name: &str| {
            let shown = &all[&format!("llm.budget.{what}{{llm.budget={name}}}")];
            shown.values.iter().all(|value| value.is_nan())
        };
        let gone = ["key-0", "key-1", "key-2", "key-3"].map(gone);
        assert_eq!(gone, [true, false, false, false], "{what}: another store's are its own");
    }
    // It is back.
    one.record(&spent(&["key-0"]));
    let all = recorded.take();
    assert_eq!(all["llm.budget.spent{llm.budget=key-0}"].values, [1.0]);
    assert!(all["llm.budget.spent{llm.budget=key-1}"].values[0].is_nan());
}
