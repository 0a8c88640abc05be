//! Invariant 8: if the providers that a caller's own restriction leaves fail, other callers of the candidate are unharmed.

use serde_json::{Value, json};
use tower_openrouter::{ChatRequest, FailureKind};

use crate::support::{
    FIRST, SECOND, ask, call,
    raw::{Raw, Step, chunk, done, events, send},
};

/// Restrictions of a request, each with the words by which the upstream sees it.
fn restrictions() -> [(&'static str, Value, &'static str); 7] {
    [
        ("provider", json!({"zdr": true}), r#""zdr":true"#),
        (
            "provider",
            json!({"data_collection": "deny"}),
            r#""data_collection":"deny""#,
        ),
        (
            "provider",
            json!({"require_parameters": true}),
            r#""require_parameters":true"#,
        ),
        (
            "provider",
            json!({"enforce_distillable_text": true}),
            r#""enforce_distillable_text":true"#,
        ),
        ("provider", json!({"max_price": {"prompt": 1}}), r#""max_price""#),
        ("provider", json!({"only": ["acme"]}), r#""only""#),
        ("service_tier", json!("flex"), r#""service_tier":"flex""#),
    ]
}

fn answers() -> Vec<Step> {
    vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]
}

fn is_for_first(request: &str) -> bool {
    request.contains(&format!(r#""model":"{FIRST}""#))
}

/// The provider behind the first model answers requests with these words by this status, and everything else goes well.
async fn fails_for(words: &'static str, status: &'static str) -> Raw {
    Raw::start(move |request| {
        if !request.contains(words) || !is_for_first(request) {
            return answers();
        }
        let (code, _) = status.split_once(' ').unwrap();
        let body = format!(
            r#"{{"error":{{"code":{code},"message":"Provider returned error","metadata":{{"provider_name":"Demo","raw":"slow down"}}}}}}"#
        );
        let more = "content-type: application/json\r\nretry-after: 60\r\nconnection: close";
        vec![send(format!("HTTP/1.1 {status}\r\n{more}\r\n\r\n{body}"))]
    })
    .await
}

/// The tenant without the restriction, and one whose preferences only sort.
fn others() -> [ChatRequest; 2] {
    [ask(), ask().extra("provider", json!({"sort": "price"}))]
}

#[tokio::test(start_paused = true)]
async fn five_failures_of_a_restricted_tenant_open_no_circuit_of_the_others() {
    for (field, value, words) in restrictions() {
        let raw = fails_for(words, "502 Bad Gateway").await;
        let stack = raw.pair();
        let restricted = || ask().extra(field, value.clone());
        for _ in 0..5 {
            let got = call(&stack, true, restricted()).await;
            assert_eq!(got.asked(), [FIRST, SECOND], "{words}: {got:?}");
        }
        for other in others() {
            let got = call(&stack, true, other).await;
            assert_eq!(got.asked(), [FIRST], "{words}: {got:?}");
        }
        // The restricted tenant has a circuit of its own, and that one is open.
        let got = call(&stack, true, restricted()).await;
        assert_eq!(got.asked(), [SECOND], "{words}: {got:?}");
    }
}

/// A rate limit of the few providers that are left pauses no call but those with the same restriction.
#[tokio::test(start_paused = true)]
async fn a_rate_limit_of_a_restricted_tenant_pauses_no_call_of_the_others() {
    for (field, value, words) in restrictions() {
        let raw = fails_for(words, "429 Too Many Requests").await;
        let stack = raw.builder().build().unwrap();
        let restricted = || ask().extra(field, value.clone());
        let got = call(&stack, true, restricted()).await;
        assert_eq!(got.kind(), Some(FailureKind::RateLimited), "{words}: {got:?}");
        for other in others() {
            let got = call(&stack, true, other).await;
            assert_eq!((got.kind(), got.took.as_secs()), (None, 0), "{words}: {got:?}");
        }
    }
}

/// What only sorts the providers restricts none: all callers learn together.
#[tokio::test(start_paused = true)]
async fn preferences_that_only_sort_share_the_candidates_circuit() {
    let raw = fails_for(r#""sort""#, "502 Bad Gateway").await;
    let stack = raw.pair();
    for _ in 0..5 {
        let sorted = ask().extra("provider", json!({"sort": "throughput", "zdr": false}));
        assert_eq!(call(&stack, true, sorted).await.asked(), [FIRST, SECOND]);
    }
    assert_eq!(call(&stack, true, ask()).await.asked(), [SECOND]);
}
