//! Budgets that only warn, beside a real Redis that is stopped, and attempts that reserve nothing.

use std::{sync::Arc, time::Duration};

use test_servers::Redis;
use tower_llm_layers::{
    UtcTime,
    budget::{Budget, BudgetStore, Budgets, RefusalReason},
};
use tower_llm_redis::Store;

use crate::support::{ask, ask_between, budgets, line, listen, stands, usd};

/// One that waits for as long as a busy machine may take.
async fn patient(server: &Redis) -> Store {
    let builder = Store::builder(&server.url()).decision_timeout(Duration::from_secs(10));
    builder.connect().await.unwrap()
}

fn watch() -> Budget {
    Budget::usd("watch", "1.00").unwrap().soft()
}

#[tokio::test]
async fn while_the_server_is_away_they_let_pass_and_what_is_spent_is_delivered_later() {
    let Some(mut server) = Redis::start() else { return };
    let store = patient(&server).await;
    let shared = store.budgets();
    let soft = Budgets::in_store([watch()], Arc::new(shared.clone())).unwrap();
    let hard = Budget::usd("hard", "5.00").unwrap();
    let both = Budgets::in_store([watch(), hard], Arc::new(shared.clone())).unwrap();
    server.stop();
    for _ in 0..5 {
        let held = ask(&shared, &soft, "3.00").await.unwrap();
        assert_eq!(held.amount(), usd("3.00"));
        held.settle(usd("0.50"));
    }
    // The one that refuses keeps its law, and the refusal names it.
    let refused = ask(&shared, &both, "0.10").await.unwrap_err();
    assert!(refused.is_store_down(), "{refused}");
    assert_eq!(refused.budget.name(), "hard");
    server.run();
    assert_eq!(stands(&shared, &line(&soft)).await, ["$2.50", "$0.00", "$0.00"]);
    assert_eq!(shared.lost(), 0);
}

#[tokio::test]
async fn what_costs_nothing_passes_a_budget_over_its_cap_and_an_unknown_cost_does_not() {
    let Some(server) = Redis::start() else { return };
    let (budgets, shared) = budgets(&patient(&server).await, "1.00");
    let anything = "0.000000000001";
    let unknown = ask_between(&shared, &budgets, "0", anything).await.unwrap();
    assert_eq!(unknown.amount(), usd("0"));
    unknown.settle(usd("1.25"));
    assert_eq!(stands(&shared, &line(&budgets)).await, ["$1.00", "$0.00", "$0.25"]);
    let refused = ask_between(&shared, &budgets, "0", anything).await.unwrap_err();
    assert!(matches!(refused.reason, RefusalReason::Spent { .. }), "{refused}");
    assert!(ask(&shared, &budgets, "0").await.is_ok());
}

#[tokio::test]
async fn a_late_bill_passes_marks_as_a_settlement_does() {
    let Some(server) = Redis::start() else { return };
    let (log, _listening) = listen();
    let (budgets, shared) = budgets(&patient(&server).await, "1.00");
    let line = line(&budgets);
    for by in ["0.60", "-0.05", "0.30", "0.40"] {
        shared.adjust(std::slice::from_ref(&line), usd(by), UtcTime::now());
    }
    assert_eq!(stands(&shared, &line).await, ["$1.00", "$0.00", "$0.25"]);
    let text = log.text();
    for percent in [50, 80, 100] {
        let mark = format!("percent={percent}");
        assert_eq!(text.matches(&mark).count(), 1, "{mark} in {text}");
    }
    assert!(text.contains("ERROR") && text.contains("overrun=$0.25"), "{text}");
}
