//! Each error that comes with a status: its bytes, its status, its hints.

use crate::common::{ask, chat, sim};
use openrouter_simulator::{Refusal, Simulator};
use serde_json::{Value, json};

#[tokio::test]
async fn each_status_has_its_envelope() {
    let simulator = Simulator::start().await.unwrap();
    for refusal in Refusal::all() {
        for stream in [false, true] {
            let reply = sim(&simulator, &refusal.to_string(), stream).await;
            assert_eq!(reply.status, refusal.status(), "{refusal}");
            assert_eq!(reply.end, crate::common::End::Whole);
            assert_eq!(reply.header("x-generation-id"), None);
            if refusal.is_html() {
                assert_eq!(reply.header("content-type"), Some("text/html; charset=UTF-8"));
                assert!(reply.text().starts_with("<!DOCTYPE html>"), "{refusal}");
                continue;
            }
            assert_eq!(reply.header("content-type"), Some("application/json"));
            let error = &reply.json()["error"];
            assert!(error["message"].is_string(), "{refusal}");
            if refusal != Refusal::Zod {
                assert_eq!(error["code"], refusal.status(), "{refusal}");
            }
        }
    }
    assert_eq!(simulator.billed_total().pico(), 0);
}

/// A JSON pointer into the error answer, and what stands there.
#[tokio::test]
async fn the_kinds_are_distinguished_as_on_the_wire() {
    let simulator = Simulator::start().await.unwrap();
    for (fault, pointer, expected) in [
        ("400-zod", "/success", json!(false)),
        ("400-zod", "/error/name", json!("ZodError")),
        (
            "400-context",
            "/error/metadata/error_type",
            json!("context_length_exceeded"),
        ),
        ("400-upstream", "/error/metadata/provider_name", json!("OpenAI")),
        ("400-model", "/error/availability/code", json!("model_not_found")),
        (
            "400-models",
            "/error/message",
            json!("'models' array must have 3 items or fewer."),
        ),
        ("401", "/error/message", json!("User not found.")),
        ("401-missing", "/error/message", json!("No auth credentials found")),
        ("401-upstream", "/error/metadata/provider_name", json!("OpenAI")),
        ("402", "/error/metadata/limit_source", json!("openrouter_credits")),
        (
            "402-inflight",
            "/error/metadata/reason",
            json!("in_flight_budget_exhausted"),
        ),
        ("402-weight", "/error/metadata/reason", json!("weight_exceeds_budget")),
        ("403-key", "/error/metadata/limit_source", json!("openrouter_key_limit")),
        (
            "403-workspace",
            "/error/metadata/limit_source",
            json!("openrouter_workspace_budget"),
        ),
        (
            "403-budget",
            "/error/metadata/limit_source",
            json!("openrouter_guardrail_budget"),
        ),
        ("403-moderation", "/error/metadata/reasons/0", json!("violence")),
        (
            "403-guardrail",
            "/error/metadata/patterns/0",
            json!("ignore all previous instructions"),
        ),
        ("403-region", "/error/availability/code", json!("region_restricted")),
        (
            "404-constraint",
            "/error/availability/excluded_by/0",
            json!("max_price"),
        ),
        ("413", "/error/metadata/error_type", json!("payload_too_large")),
        ("422", "/error/metadata/error_type", json!("unprocessable")),
        ("429", "/error/metadata", Value::Null),
        (
            "429-day",
            "/error/metadata/limit_source",
            json!("openrouter_free_tier_daily"),
        ),
        ("429-day", "/error/metadata/headers/X-RateLimit-Limit", json!("50")),
        ("429-minute", "/error/metadata/headers/X-RateLimit-Limit", json!("20")),
        (
            "429-rpm",
            "/error/metadata/limit_source",
            json!("openrouter_shared_capacity"),
        ),
        ("429-upstream", "/error/metadata/retry_after_seconds", json!(17)),
        ("429-upstream", "/error/metadata/headers/Retry-After", json!("17")),
        ("429-capacity", "/error/availability/retry_after", json!(40)),
        ("500", "/error/metadata/error_type", json!("server")),
        ("502", "/error/metadata/error_type", json!("provider_unavailable")),
        ("503", "/error/availability/retry_after", json!(5)),
        ("503", "/error/http_status", json!(503)),
        ("504", "/error/metadata/error_type", json!("timeout")),
        ("529", "/error/metadata/raw", json!("overloaded_error")),
    ] {
        let body = sim(&simulator, fault, false).await.json();
        assert_eq!(
            body.pointer(pointer).cloned().unwrap_or_default(),
            expected,
            "{fault} {pointer}: {body}"
        );
    }
    let afford = sim(&simulator, "402-afford=77", false).await.text();
    assert!(afford.contains("can only afford 77."), "{afford}");
    let rpm = sim(&simulator, "429-rpm", false).await.text();
    assert!(rpm.contains("Rate limit exceeded: limit_rpm/"), "{rpm}");
}

fn in_seconds(epoch_ms: &str) -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    epoch_ms.parse::<i64>().unwrap() / 1000 - i64::try_from(now.as_secs()).unwrap()
}

#[tokio::test]
async fn retry_after_stands_in_each_of_its_places() {
    let simulator = Simulator::start().await.unwrap();
    for (fault, expected) in [
        ("503", Some("5")),
        ("503;no-hint", None),
        ("503;retry-after=7", Some("7")),
        ("503;retry-after=0", Some("0")),
        ("503;retry-after=soon", Some("soon")),
        ("402-inflight", Some("3")),
        ("429-upstream", Some("17")),
        ("429", None),
        ("502;retry-after=9", Some("9")),
    ] {
        assert_eq!(
            sim(&simulator, fault, false).await.header("retry-after"),
            expected,
            "{fault}"
        );
    }
    let date = sim(&simulator, "429;retry-after-date=100s", false).await;
    let date = httpdate::parse_http_date(date.header("retry-after").unwrap()).unwrap();
    let ahead = date.duration_since(std::time::SystemTime::now()).unwrap().as_secs();
    assert!((95..=100).contains(&ahead), "{ahead}");

    let reset = sim(&simulator, "429;ratelimit-reset=60s", false).await;
    assert!((55..=60).contains(&in_seconds(reset.header("x-ratelimit-reset").unwrap())));
    let day = sim(&simulator, "429-day", false).await;
    assert_eq!(day.header("x-ratelimit-remaining"), Some("0"));
    assert!((0..=86_400).contains(&in_seconds(day.header("x-ratelimit-reset").unwrap())));

    let body = |fault: &'static str| {
        let simulator = simulator.clone();
        async move { sim(&simulator, fault, false).await.json() }
    };
    assert_eq!(
        body("429;availability-retry=7").await["error"]["availability"]["retry_after"],
        7
    );
    assert_eq!(
        body("429;metadata-retry=8").await["error"]["metadata"]["retry_after_seconds"],
        8
    );
    assert_eq!(
        body("429;metadata-header=9").await["error"]["metadata"]["headers"]["Retry-After"],
        "9"
    );
    let silent = body("429-upstream;no-hint").await.to_string() + &body("503;no-hint").await.to_string();
    assert!(
        !silent.to_lowercase().contains("retry-after") && !silent.contains("retry_after"),
        "{silent}"
    );
}

#[tokio::test]
async fn a_request_no_model_can_serve_is_refused_without_a_plan() {
    let simulator = Simulator::start().await.unwrap();
    let mut long = ask("demo/small", false);
    long["messages"][0]["content"] = "x".repeat(40_000).into();
    let reply = chat(&simulator, &long).await;
    assert_eq!(
        (reply.status, reply.json()["error"]["metadata"]["error_type"].as_str()),
        (400, Some("context_length_exceeded"))
    );
    assert!(
        reply
            .text()
            .contains("maximum context length is 8192 tokens. However, you requested about 10000")
    );

    let mut tools = ask("demo/small", false);
    tools["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    assert!(chat(&simulator, &tools).await.text().contains("support tool use"));

    let mut image = ask("demo/small", false);
    image["messages"][0]["content"] = json!([{"type": "image_url", "image_url": {"url": "data:"}}]);
    assert!(chat(&simulator, &image).await.text().contains("support image input"));

    let unknown = chat(&simulator, &ask("acme/nope-1", false)).await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["message"].as_str()),
        (400, Some("acme/nope-1 is not a valid model ID"))
    );
    assert_eq!(sim(&simulator, "nonsense", false).await.status, 400);

    let mut prefill = ask("sim/no-prefill", false);
    assert_eq!(chat(&simulator, &prefill).await.status, 200);
    crate::common::push(&mut prefill, json!({"role": "assistant", "content": "The"}));
    assert_eq!(chat(&simulator, &prefill).await.status, 400);
}
