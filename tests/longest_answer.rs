//! A limit over a model's longest answer is lowered for that model alone: agents ask for 32 000 tokens of whichever model they are given.

use std::sync::Arc;

use crate::support::{
    FIRST, SECOND, ask, call,
    prices::of,
    raw::{Raw, head, json, send},
};

const ANSWER: &str = r#"{"choices":[{"message":{"role":"assistant","content":"Blue."},"finish_reason":"stop"}]}"#;

fn model(id: &str, longest: u64) -> String {
    format!(
        r#"{{"id":"{id}","context_length":100000,"top_provider":{{"max_completion_tokens":{longest}}},"pricing":{{"prompt":"0","completion":"0"}}}}"#
    )
}

/// What each request that went up says of its limit, if the first model is down.
async fn limits_sent(longest: [u64; 2], asked: u64) -> Vec<String> {
    let raw = Raw::start(|request| {
        if request.contains(FIRST) {
            return vec![head("503 Service Unavailable", "application/json"), send("{}")];
        }
        vec![json(), send(ANSWER)]
    })
    .await;
    let catalogue = of(&[&model(FIRST, longest[0]), &model(SECOND, longest[1])]);
    let stack = raw
        .builder()
        .attempts_per_candidate(1)
        .catalogue(Arc::new(catalogue))
        .chain([FIRST, SECOND])
        .build()
        .unwrap();
    let got = call(&stack, false, ask().max_tokens(asked)).await;
    assert_eq!(got.kind(), None);
    let limit = |request: String| {
        let (_, limit) = request.split_once(r#""max_tokens":"#).unwrap();
        limit.split([',', '}']).next().unwrap().trim().to_owned()
    };
    raw.seen().into_iter().map(limit).collect()
}

#[tokio::test(start_paused = true)]
async fn a_limit_over_a_models_longest_answer_is_lowered_for_that_model_alone() {
    assert_eq!(limits_sent([16_384, 64_000], 32_000).await, ["16384", "32000"]);
    assert_eq!(limits_sent([64_000, 16_384], 32_000).await, ["32000", "16384"]);
    assert_eq!(limits_sent([16_384, 8_192], 32_000).await, ["16384", "8192"]);
    assert_eq!(limits_sent([16_384, 8_192], 100).await, ["100", "100"]);
}
