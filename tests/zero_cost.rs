//! A cost of zero is a bill only if the price list, the router or the model itself says that the response is free: budgets end otherwise.

use std::sync::Arc;

use crate::support::{
    ask, call,
    ledger::Kept,
    prices::{of, usd},
    raw::{Raw, Step, done, events, json, send},
};
use tower_openrouter::{
    Stack, UsdAmount,
    layers::{
        budget::{Budget, Budgets, InMemoryBudgetStore},
        ledger::{Entry, EntryState},
    },
};

/// A cent for each thousand tokens of the answer, nothing for the prompt; and the same for nothing.
const ROWS: [&str; 2] = [
    r#"{"id":"acme/paid","context_length":100000,"pricing":{"prompt":"0","completion":"0.00001"}}"#,
    r#"{"id":"acme/paid:free","context_length":100000,"pricing":{"prompt":"0","completion":"0"}}"#,
];

/// Usage objects with a cost of zero, or with a fee alone, for an answer of a thousand tokens.
const NO_BILL: [&str; 5] = [
    r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0}"#,
    r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0.0,"is_byok":false}"#,
    r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":null}}"#,
    r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0.0000001,"is_byok":true}"#,
    r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0}}"#,
];

fn plain(usage: &str) -> Vec<Step> {
    let text = "word ".repeat(1_000);
    let body = format!(
        r#"{{"id":"gen-1","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
    );
    vec![json(), send(body)]
}

fn stream(early: &str, late: &str) -> Vec<Step> {
    let chunk = |choices: &str, usage: &str| {
        format!("data: {{\"id\":\"gen-1\",\"choices\":[{choices}],\"usage\":{usage}}}\n\n")
    };
    let word = r#"{"index":0,"delta":{"content":"word "},"finish_reason":null}"#;
    let end = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    let text = [
        chunk(word, early),
        chunk(word, "null").repeat(999),
        chunk(end, "null"),
        chunk("", late),
    ];
    vec![events(), send(text.concat()), done()]
}

fn stack_of(raw: &Raw, model: &str, cap: &str) -> (Stack, InMemoryBudgetStore, Arc<Kept>) {
    let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
    let budget = Budget::usd("all", cap).unwrap();
    let stack = raw
        .builder()
        .chain([model])
        .prices(Arc::new(of(&ROWS)))
        .budgets(Budgets::in_store([budget], Arc::new(book.clone())).unwrap())
        .ledger(kept.clone())
        .build()
        .unwrap();
    (stack, book, kept)
}

/// The one entry of a call.
async fn entry_of(steps: Vec<Step>, streamed: bool, model: &str) -> (Entry, UsdAmount) {
    let raw = Raw::always(steps).await;
    let (stack, book, kept) = stack_of(&raw, model, "5");
    let got = call(&stack, streamed, ask().max_tokens(2_000)).await;
    assert!(got.error.is_none(), "{:?}", got.error);
    (kept.entries().remove(0), book.accounts()[0].settled)
}

#[tokio::test(start_paused = true)]
async fn a_cost_of_zero_or_a_fee_alone_is_no_bill_for_a_model_with_a_price() {
    for usage in NO_BILL {
        for (steps, streamed) in [(plain(usage), false), (stream("null", usage), true)] {
            let (entry, settled) = entry_of(steps, streamed, "acme/paid").await;
            assert_eq!((entry.bill, entry.estimate), (None, Some(usd("0.01"))), "{usage}");
            assert_eq!((entry.state, settled), (EntryState::Settled, usd("0.01")), "{usage}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_ends_although_every_response_reports_a_cost_of_zero() {
    let raw = Raw::always(plain(NO_BILL[0])).await;
    let (stack, book, _) = stack_of(&raw, "acme/paid", "0.05");
    let mut answered = 0;
    while answered < 50 && call(&stack, false, ask().max_tokens(1_000)).await.error.is_none() {
        answered += 1;
    }
    assert_eq!((answered, book.accounts()[0].settled), (5, usd("0.05")));
}

#[tokio::test(start_paused = true)]
async fn a_cost_of_zero_vouches_for_no_counts() {
    let usage = r#"{"prompt_tokens":12,"completion_tokens":0,"cost":0}"#;
    let (entry, settled) = entry_of(plain(usage), false, "acme/paid").await;
    assert_eq!((entry.bill, entry.state), (None, EntryState::Estimated));
    assert_eq!((entry.usage.answer, settled), (1_000, usd("0.01")));
}

#[tokio::test(start_paused = true)]
async fn a_free_model_is_billed_zero() {
    for usage in [NO_BILL[0], r#"{"prompt_tokens":0,"completion_tokens":0,"cost":0}"#] {
        let (entry, settled) = entry_of(plain(usage), false, "acme/paid:free").await;
        assert_eq!((entry.bill, entry.state), (Some(UsdAmount::ZERO), EntryState::Settled));
        assert_eq!(settled, UsdAmount::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn the_providers_charge_is_a_bill_if_the_router_charges_zero_on_top() {
    let usage = r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":0.02}}"#;
    let (entry, settled) = entry_of(plain(usage), false, "acme/paid").await;
    assert_eq!((entry.bill, settled), (Some(usd("0.02")), usd("0.02")));
}

#[tokio::test(start_paused = true)]
async fn a_later_zero_takes_no_bill_away() {
    let told = r#"{"prompt_tokens":12,"completion_tokens":1000,"cost":0.03}"#;
    let (entry, settled) = entry_of(stream(told, NO_BILL[0]), true, "acme/paid").await;
    assert_eq!((entry.bill, settled), (Some(usd("0.03")), usd("0.03")));
}
