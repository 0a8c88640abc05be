//! What makes an answer cheaper: tiers, price caps, effort, and the router's own cache.

use crate::common::{KEY, exchange, request};
use openrouter_simulator::Simulator;
use serde_json::{Value, json};

async fn with(simulator: &Simulator, headers: &[(&str, &str)], extra: Value) -> crate::common::Reply {
    let mut body = json!({"model": "openai/gpt-5", "messages": [{"role": "user", "content": "Why is the sky blue?"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let key = format!("Bearer {KEY}");
    let all: Vec<_> = headers.iter().copied().chain([("authorization", &*key)]).collect();
    let bytes = request("POST", "/v1/chat/completions", &all, body.to_string().as_bytes());
    exchange(simulator.addr(), &bytes).await.unwrap()
}

#[tokio::test]
async fn flex_is_half_the_price_where_the_provider_has_it() {
    let simulator = Simulator::start().await.unwrap();
    let cost = |reply: &crate::common::Reply| reply.json()["usage"]["cost"].as_f64().unwrap();
    let plain = with(&simulator, &[], json!({})).await;
    assert_eq!(plain.json()["service_tier"], "default");
    for cheaper in [json!({"service_tier": "flex"}), json!({"model": "openai/gpt-5:floor"})] {
        let flex = with(&simulator, &[], cheaper).await;
        assert_eq!(flex.json()["service_tier"], "flex");
        assert!((cost(&flex) * 2.0 - cost(&plain)).abs() < 1e-12);
    }
    let elsewhere = json!({"model": "deepseek/deepseek-v3.2", "service_tier": "flex"});
    assert_eq!(with(&simulator, &[], elsewhere).await.json()["service_tier"], "default");
}

#[tokio::test]
async fn a_price_over_the_cap_is_refused() {
    let simulator = Simulator::start().await.unwrap();
    // GPT-5 asks 1.25 and 10 dollars per million.
    for (prompt, completion, status) in [("1.25", "10", 200), ("1.24", "10", 404), ("1.25", "9.9", 404)] {
        let capped = json!({"provider": {"max_price": {"prompt": prompt, "completion": completion}}});
        assert_eq!(
            with(&simulator, &[], capped).await.status,
            status,
            "{prompt} {completion}"
        );
    }
    let numbers = json!({"provider": {"max_price": {"prompt": 1, "completion": 3.5}}});
    assert_eq!(with(&simulator, &[], numbers).await.status, 404);
}

#[tokio::test]
async fn more_effort_is_more_reasoning() {
    let simulator = Simulator::start().await.unwrap();
    let mut before = 0;
    for effort in ["none", "minimal", "low", "medium", "high"] {
        let reply = with(&simulator, &[], json!({"reasoning": {"effort": effort}})).await;
        let tokens = reply.json()["usage"]["completion_tokens_details"]["reasoning_tokens"]
            .as_u64()
            .unwrap();
        assert!(tokens > before || effort == "none", "{effort}: {tokens}");
        before = tokens;
    }
}

#[tokio::test]
async fn the_same_again_is_free_while_it_is_kept() {
    let simulator = Simulator::start().await.unwrap();
    let asked = [("x-openrouter-cache", "true"), ("x-openrouter-cache-ttl", "300")];
    let first = with(&simulator, &asked, json!({})).await;
    assert_eq!(first.header("x-openrouter-cache-status"), Some("MISS"));
    let billed = simulator.billed_total();
    let again = with(&simulator, &asked, json!({})).await;
    assert_eq!(again.header("x-openrouter-cache-status"), Some("HIT"));
    assert_eq!(again.json()["usage"]["total_tokens"], 0);
    assert_eq!(again.json()["usage"]["cost"], 0);
    assert_eq!(
        again.json()["choices"][0]["message"]["content"],
        first.json()["choices"][0]["message"]["content"]
    );
    assert_eq!(simulator.billed_total(), billed);
    let other = with(&simulator, &asked, json!({"temperature": 1})).await;
    assert_eq!(other.header("x-openrouter-cache-status"), Some("MISS"));
    let unasked = with(&simulator, &[], json!({})).await;
    assert_eq!(unasked.header("x-openrouter-cache-status"), None);
    assert!(simulator.billed_total() > billed);
}
