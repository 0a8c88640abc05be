//! Log events about money: budgets that fill up, bills that differ, answers that are shortened.

use tower::Layer;
use tower_llm_layers::{
    Stage,
    budget::{Budget, Budgets, InMemoryBudgetStore},
    cost::{CostLayer, UnknownPrice},
};

use super::{budgeted, recorded, to, up_to};
use crate::support::{
    Beat, Leaf, Step, ask, charged,
    log::{heard, listen, messages, one},
    read, usd,
};

const DIFFERS: &str = "the bill differs from the price list by over 1 %: refresh the catalogue";

#[tokio::test(start_paused = true)]
async fn a_bill_that_differs_by_over_one_percent_is_logged() {
    // By the list it is 0.0003: the bill is off by exactly one percent, by a little more, and by a little less than that.
    for (bill, told) in [
        ("0.0003", false),
        ("0.000303030303", false),
        ("0.000303040", true),
        ("0.000297029702", true),
        ("0.000297029703", false),
        ("0.0001", true),
    ] {
        listen();
        let (service, _) = recorded(Leaf::new([Step::body([
            Beat::Frame(Stage::Content),
            charged(100, 20, bill),
        ])]));
        read(ask(&service, to("a")).await.unwrap().into_body()).await;
        assert_eq!(messages().iter().any(|message| message == DIFFERS), told, "{bill}");
        if told {
            let event = one(DIFFERS);
            assert_eq!((&*event["level"], &*event["model"]), ("WARN", "a"));
            assert_eq!(
                (&*event["bill"], &*event["estimate"]),
                (&*usd(bill).to_string(), "$0.0003")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_warns_at_half_four_fifths_and_all_of_it_once_each() {
    listen();
    let book = InMemoryBudgetStore::new();
    let budget = Budget::usd("tenant", "1.00").unwrap().each("team").soft();
    let budgets = Budgets::in_store([budget], std::sync::Arc::new(book)).unwrap();
    let costs = ["0.49", "0.01", "0.29", "0.01", "0.19", "0.01", "5.00"];
    let steps = costs.map(|cost| Step::body([Beat::Frame(Stage::Content), charged(1, 1, cost)]));
    let service = CostLayer::new()
        .budgets(budgets)
        .unknown_price(UnknownPrice::Allow)
        .layer(Leaf::new(steps));
    let mut marks = Vec::new();
    for _ in costs {
        read(ask(&service, to("a")).await.unwrap().into_body()).await;
        let told = heard()
            .into_iter()
            .filter(|event| event["message"] == "budget filling up");
        marks.push(told.map(|event| event["percent"].clone()).collect::<Vec<_>>());
    }
    let [half, four, all] = ["50 u64", "80 u64", "100 u64"].map(str::to_owned);
    let mut so_far = Vec::new();
    let mut expected = vec![so_far.clone()];
    for mark in [half, four, all] {
        so_far.push(mark);
        expected.extend([so_far.clone(), so_far.clone()]);
    }
    assert_eq!(marks, expected);
    let event = one("budget filling up");
    assert_eq!(
        (&*event["budget"], &*event["account"], &*event["spent"]),
        ("tenant", "team=search", "$0.50")
    );
}

#[tokio::test(start_paused = true)]
async fn refused_shortened_and_overrun_attempts_are_logged() {
    listen();
    let (layer, _, _) = budgeted("0.0041");
    let service = layer.layer(Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        charged(100, 400, "0.0044"),
    ])]));
    read(ask(&service, up_to("a", 500)).await.unwrap().into_body()).await;
    assert_eq!(one("answer shortened to fit a budget")["max_tokens"], "400 u64");
    let overrun = one("charged more than the worst-case price: the budget is over its cap");
    assert_eq!((&*overrun["level"], &*overrun["overrun"]), ("ERROR", "$0.0003"));
    assert!(ask(&service, up_to("a", 500)).await.is_err());
    assert_eq!(one("over budget")["needed"], usd("0.00266").to_string());
}
