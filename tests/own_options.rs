//! Parameters and timeouts of one candidate, timeouts of one request, and the time that reasoning takes.

use std::time::Duration;

use openrouter_simulator::Simulator;
use serde_json::{Value, json};
use tokio::time::Instant;
use tower_openrouter::{
    ApiKey, Candidate, ChatRequest, FailureKind, Stack,
    layers::{Phase, TimeoutOverrides},
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, Upstream},
};

use crate::support::{
    FIRST, SECOND, World, ask, call,
    raw::{Raw, chunk, done, events, head},
};

const S: Duration = Duration::from_secs(1);

fn reasons(effort: &str) -> ChatRequest {
    let request =
        json!({"model": FIRST, "reasoning": {"effort": effort}, "messages": [{"role": "user", "content": "prove it"}]});
    ChatRequest::from_json(request.to_string()).unwrap()
}

/// The stack as it is by default.
async fn by_default(plan: &str) -> (Simulator, StackBuilder) {
    let simulator = Simulator::start().await.unwrap();
    simulator.plan_all("ok").unwrap();
    simulator.plan(FIRST, plan).unwrap();
    let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter).unwrap();
    let builder = Stack::builder().upstream(upstream, ApiKey::new("sk-or-v1-test").unwrap());
    (simulator, builder)
}

#[tokio::test(start_paused = true)]
async fn a_model_that_reasons_in_silence_is_given_the_time_for_it() {
    for (streamed, silent) in [(true, 60), (true, 35), (false, 150)] {
        let (_simulator, builder) = by_default(&format!("first-token={silent}s")).await;
        let alone = builder.clone().chain([FIRST]).build().unwrap();
        let got = call(&alone, streamed, reasons("high")).await;
        assert!(got.error.is_none(), "{silent} s, streamed={streamed}: {got:?}");
        let pair = builder.chain([FIRST, SECOND]).build().unwrap();
        let got = call(&pair, streamed, reasons("high")).await;
        assert_eq!(got.asked(), [FIRST], "{silent} s, streamed={streamed}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_reasoning_a_silent_model_is_given_up_as_before() {
    for request in [reasons("none"), reasons("minimal"), ask()] {
        let (_simulator, builder) = by_default("first-token=60s").await;
        let pair = builder.chain([FIRST, SECOND]).build().unwrap();
        let got = call(&pair, true, request).await;
        assert_eq!(got.asked(), [FIRST, SECOND]);
    }
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_the_request_go_before_the_candidates_and_those_before_the_stacks() {
    let candidate = || Candidate::new(OPENROUTER, FIRST).unwrap();
    let patient = TimeoutOverrides::new().first_token(50 * S).response(60 * S);
    let hasty = TimeoutOverrides::new().first_token(2 * S).response(3 * S);
    let rows = [
        (candidate(), ask(), true, 15),
        (candidate().with_timeouts(patient), ask(), true, 55),
        (candidate().with_timeouts(patient), ask(), false, 65),
        (candidate().with_timeouts(patient), ask().timeouts(hasty), true, 7),
        (candidate().with_timeouts(patient), ask().timeouts(hasty), false, 8),
        // What is set for the one goes before the time for reasoning.
        (candidate().with_timeouts(hasty), reasons("high"), true, 7),
    ];
    for (candidate, request, streamed, seconds) in rows {
        let world = World::new("hang").await;
        let stack = world
            .builder()
            .attempts_per_candidate(1)
            .chain([candidate])
            .build()
            .unwrap();
        let begun = Instant::now();
        let got = call(&stack, streamed, request).await;
        // The last candidate's grace of 5 s comes on top.
        assert_eq!(begun.elapsed().as_secs(), seconds, "{got:?}");
        let phase = if streamed { Phase::FirstToken } else { Phase::Response };
        assert_eq!(got.kind(), Some(FailureKind::Timeout(phase)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_timeout_of_a_candidate_counts() {
    let world = World::new("delay=8s;words=5").await;
    let candidate = Candidate::new(OPENROUTER, FIRST).unwrap();
    let hasty = candidate.with_timeouts(TimeoutOverrides::new().idle(5 * S));
    let got = call(&world.builder().chain([hasty]).build().unwrap(), true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Idle)), "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn each_candidate_is_called_with_its_own_parameters() {
    let raw = Raw::start(|request| {
        if request.contains("\"model\":\"a/first\"") {
            return vec![head("503 Busy", "application/json")];
        }
        vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]
    })
    .await;
    let first = Candidate::new(OPENROUTER, "a/first")
        .unwrap()
        .with_parameter("reasoning", r#"{"effort":"low"}"#)
        .with_parameter("provider", r#"{"order":["Demo"]}"#)
        .without_parameter("temperature");
    let second = Candidate::new(OPENROUTER, "b/second")
        .unwrap()
        .with_parameter("temperature", "1");
    let stack = raw.builder().chain([first, second]).build().unwrap();
    let request =
        json!({"temperature": 0.2, "reasoning": {"effort": "high"}, "messages": [{"role": "user", "content": "Hi"}]});
    let got = call(&stack, true, ChatRequest::from_json(request.to_string()).unwrap()).await;
    assert!(got.error.is_none(), "{got:?}");
    let bodies: Vec<Value> = raw
        .seen()
        .iter()
        .map(|seen| serde_json::from_str(seen.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let [one, two] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(one["reasoning"], json!({"effort": "low"}));
    assert_eq!(one["provider"], json!({"order": ["Demo"]}));
    assert_eq!(one.get("temperature"), None);
    assert_eq!(two["temperature"], json!(1));
    assert_eq!(two["reasoning"], json!({"effort": "high"}), "the caller's own");
    assert_eq!(two.get("provider"), None);
}

#[test]
fn a_parameter_that_cannot_be_set_is_a_problem_of_the_build() {
    let candidate = Candidate::new(OPENROUTER, FIRST)
        .unwrap()
        .with_parameter("verbosity", "low")
        .without_parameter("messages")
        .with_timeouts(TimeoutOverrides::new().idle(Duration::ZERO));
    let built = Stack::openrouter(ApiKey::new("sk-or-v1-test").unwrap())
        .chain([candidate])
        .build();
    let error = built.unwrap_err().to_string();
    for part in ["`verbosity`", "not JSON", "`messages`", "`with_timeouts` is 0"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}
