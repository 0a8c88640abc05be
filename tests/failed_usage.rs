//! What an upstream says, in the body of an error, that the failed call took and cost.

use std::sync::Arc;

use tower_openrouter::{
    UsdAmount,
    layers::ledger::{Entry, EntryState},
};

use crate::support::{
    ask, call,
    ledger::Kept,
    prices::{of, usd},
    raw::{Raw, head, send},
};

/// A cent for each thousand tokens of the answer, nothing for the prompt.
const ROWS: [&str; 1] =
    [r#"{"id":"acme/paid","context_length":100000,"pricing":{"prompt":"0","completion":"0.00001"}}"#];
const STATUSES: [&str; 5] = [
    "400 Bad Request",
    "402 Payment Required",
    "429 Too Many Requests",
    "500 Internal Server Error",
    "503 Service Unavailable",
];

/// The entry of a call that ends with this error.
async fn entry_of(status: &'static str, body: String) -> Entry {
    let raw = Raw::always(vec![head(status, "application/json"), send(body)]).await;
    let kept = Kept::new();
    let stack = raw
        .builder()
        .chain(["acme/paid"])
        .prices(Arc::new(of(&ROWS)))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let got = call(&stack, false, ask().max_tokens(2_000)).await;
    assert!(got.error.is_some(), "{status}");
    kept.entries().remove(0)
}

fn with_usage(usage: &str) -> [String; 2] {
    [
        format!(r#"{{"error":{{"message":"x","code":1}},"usage":{usage}}}"#),
        format!(r#"{{"error":{{"message":"x","code":1,"usage":{usage}}}}}"#),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_charge_in_the_body_of_an_error_is_the_bill() {
    for status in STATUSES {
        for body in with_usage(r#"{"prompt_tokens":10,"completion_tokens":100,"cost":0.004}"#) {
            let entry = entry_of(status, body).await;
            assert_eq!(
                (entry.bill, entry.state),
                (Some(usd("0.004")), EntryState::Settled),
                "{status}"
            );
            assert_eq!((entry.usage.prompt, entry.usage.answer), (10, 100), "{status}");
        }
    }
}

/// The router promises to charge nothing for a failed answer, so counts alone are no bill; and zeros are none anywhere.
#[tokio::test(start_paused = true)]
async fn counts_of_a_router_that_charges_nothing_for_failures_cost_nothing() {
    for usage in [
        r#"{"prompt_tokens":10,"completion_tokens":100}"#,
        r#"{"prompt_tokens":0,"completion_tokens":0,"cost":0}"#,
        "null",
        "7",
    ] {
        for body in with_usage(usage) {
            let entry = entry_of("500 Internal Server Error", body).await;
            assert_eq!(
                (entry.bill, entry.recorded),
                (Some(UsdAmount::ZERO), UsdAmount::ZERO),
                "{usage}"
            );
        }
    }
}
