//! A request with two limits of tokens: money is reserved for the larger one, and neither is raised.

use std::sync::Arc;

use crate::support::{
    FIRST, World, call,
    ledger::Kept,
    prices,
    raw::{self, Raw},
};
use serde_json::{Value, json};
use tower_openrouter::{
    ChatRequest, ChatServiceExt, ResponsesRequest, UsdAmount,
    layers::{
        WorstCasePrice,
        budget::{Budget, Window},
        cost::UnknownPrice,
    },
};

/// What was sent of a request with these limits, and what was reserved for it, at 0.2 cents for a token of answer.
async fn sent(dollars: &str, limits: &str) -> (Value, UsdAmount) {
    let world = World::new("GOOD").await;
    let kept = Kept::new();
    let price = WorstCasePrice::new().answer_token("0.002".parse().unwrap());
    let stack = world
        .builder()
        .chain([FIRST])
        .budget(Budget::usd("all", dollars).unwrap().per(Window::Day))
        .unknown_price(UnknownPrice::Assume(price))
        .ledger(kept.clone())
        .build()
        .unwrap();
    let body = format!("{{\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],{limits}}}");
    stack.complete(ChatRequest::from_json(body).unwrap()).await.unwrap();
    let body = serde_json::from_slice(&world.simulator.report().attempts[0].body).unwrap();
    (body, kept.entries()[0].reserved)
}

#[tokio::test(start_paused = true)]
async fn the_larger_limit_is_reserved_for() {
    for limits in [
        r#""max_tokens":500,"max_completion_tokens":1"#,
        r#""max_tokens":1,"max_completion_tokens":500"#,
    ] {
        let (body, reserved) = sent("100", limits).await;
        assert_eq!(reserved, "1".parse().unwrap(), "{limits}");
        let told = serde_json::from_str::<Value>(&format!("{{{limits}}}")).unwrap();
        for name in ["max_tokens", "max_completion_tokens"] {
            assert_eq!(body[name], told[name], "{limits}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_lowered_to_what_a_budget_carries_and_never_raised() {
    for (limits, tokens, completion) in [
        (r#""max_tokens":50000,"max_completion_tokens":1"#, 300, 1),
        (r#""max_tokens":1,"max_completion_tokens":100000"#, 1, 300),
        (r#""max_tokens":9000,"max_completion_tokens":8000"#, 300, 300),
    ] {
        let (body, reserved) = sent("0.60", limits).await;
        let sent = json!([body["max_tokens"], body["max_completion_tokens"]]);
        assert_eq!(sent, json!([tokens, completion]), "{limits}");
        assert_eq!(reserved, "0.60".parse().unwrap(), "{limits}");
    }
}

#[test]
fn the_largest_limit_counts_in_each_api() {
    // Of one that is written twice, an upstream may go by the first.
    let twice = r#"{"input":"Hi","max_output_tokens":9000,"max_output_tokens":1}"#;
    let response = ResponsesRequest::from_json(twice).unwrap();
    assert_eq!(response.read_max_tokens(), Some(9_000));
    for body in [
        r#"{"messages":[{}],"max_tokens":9000,"max_completion_tokens":1}"#,
        r#"{"messages":[{}],"max_tokens":1,"max_completion_tokens":9000}"#,
        r#"{"messages":[{}],"max_tokens":9000,"max_completion_tokens":null}"#,
        r#"{"messages":[{}],"max\u005ftokens":9000,"max_tokens":1}"#,
    ] {
        let request = ChatRequest::from_json(body).unwrap();
        assert_eq!(request.read_max_tokens(), Some(9_000), "{body}");
    }
}

/// Alternatives that were set by hand are not checked when the request is read.
#[tokio::test(start_paused = true)]
async fn alternatives_that_cannot_be_read_have_no_known_price() {
    let raw = Raw::always(vec![raw::json(), raw::send("{}")]).await;
    let row = r#"{"id":"acme/a","context_length":100000,"pricing":{"prompt":"0","completion":"0.00001"}}"#;
    let stack = raw
        .builder()
        .chain(["acme/a"])
        .prices(Arc::new(prices::of(&[row])))
        .budget(Budget::usd("all", "10").unwrap())
        .build()
        .unwrap();
    for list in [json!([{"model": "acme/a"}, {}]), json!("acme/a"), json!([7])] {
        let request = ChatRequest::user("Hi").max_tokens(10).extra("fallbacks", list.clone());
        let got = call(&stack, false, request).await;
        let error = got.error.unwrap().to_string();
        assert!(error.contains("price"), "{list}: {error}");
    }
    assert!(raw.seen().is_empty(), "nothing was sent");
}
