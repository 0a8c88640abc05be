//! Finish reasons that count as failures: another candidate answers, a stream says so, and each answer is paid for.

use std::sync::Arc;

use crate::support::{
    FIRST, SECOND, ask, call,
    ledger::Kept,
    raw::{Raw, Step, chunk, done, events, json, send},
};
use tower_openrouter::{
    ApiKey, FailureKind, Outcome, Stack,
    layers::{circuit_breaker::CircuitState, ledger::EntryState},
    stack::{BuildProblem, StackBuilder},
};

const USAGE: &str = r#""usage":{"prompt_tokens":9,"completion_tokens":3,"cost":0.002}"#;

fn plain(text: &str, finish: &str) -> Vec<Step> {
    let choice =
        format!(r#"{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"{finish}"}}"#);
    vec![
        json(),
        send(format!(r#"{{"id":"gen-1","choices":[{choice}],{USAGE}}}"#)),
    ]
}

fn streamed(text: &str, finish: &str) -> Vec<Step> {
    let usage = send(format!("data: {{\"id\":\"gen-1\",\"choices\":[],{USAGE}}}\n\n"));
    let end = chunk("", &format!("\"{finish}\""));
    vec![events(), chunk(text, "null"), end, usage, done()]
}

/// An upstream whose first model ends for this reason, and the second one well.
async fn upstream(finish: &'static str) -> Raw {
    Raw::start(move |request| {
        let (text, finish) = if request.contains(FIRST) {
            ("Half", finish)
        } else {
            ("Whole.", "stop")
        };
        if request.contains("\"stream\":true") {
            streamed(text, finish)
        } else {
            plain(text, finish)
        }
    })
    .await
}

fn counts(builder: StackBuilder) -> StackBuilder {
    builder.fail_on_finish_reason("length", FailureKind::RejectedByProvider)
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_that_ends_so_is_given_by_the_next_model_and_both_are_paid_for() {
    for word in ["length", "MAX_TOKENS"] {
        let (raw, kept) = (upstream(word).await, Kept::new());
        let builder = raw.builder().chain([FIRST, SECOND]).ledger(Arc::clone(&kept) as _);
        let by_default = call(&builder.clone().build().unwrap(), false, ask()).await;
        assert_eq!((by_default.text.as_str(), by_default.asked()), ("Half", vec![FIRST]));
        let stack = counts(builder).build().unwrap();
        let got = call(&stack, false, ask()).await;
        assert_eq!(
            (got.text.as_str(), got.asked()),
            ("Whole.", vec![FIRST, SECOND]),
            "{got:?}"
        );
        assert_eq!(got.lines[0].outcome, Outcome::Failed(FailureKind::RejectedByProvider));
        let entries = kept.entries();
        assert_eq!(entries.len(), 3);
        assert!(
            entries.iter().all(|entry| entry.state == EntryState::Settled),
            "{entries:?}"
        );
        assert_eq!(kept.total(), 6_000_000_000, "each as it was billed");
        let circuits = stack.circuits().unwrap().reports();
        assert!(circuits.iter().all(|report| report.state == CircuitState::Closed));
        let told = stack.describe();
        assert!(
            told.contains("the answer begins; `length` fails as rejected_by_provider"),
            "{told}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_so_ends_with_the_failure_and_is_paid_for() {
    let (raw, kept) = (upstream("length").await, Kept::new());
    let builder = raw.builder().chain([FIRST, SECOND]).ledger(Arc::clone(&kept) as _);
    let by_default = call(&builder.clone().build().unwrap(), true, ask()).await;
    assert_eq!((by_default.text.as_str(), by_default.kind()), ("Half", None));
    let got = call(&counts(builder).build().unwrap(), true, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), ("Half", vec![FIRST]));
    let error = got.error.unwrap();
    assert_eq!(error.kind(), FailureKind::RejectedByProvider);
    assert!(error.message().contains("finish reason `length`"), "{error}");
    assert_eq!(kept.total(), 4_000_000_000);
}

#[test]
fn what_would_do_nothing_or_refuse_everything_is_refused() {
    let of = |reason: &str| {
        let builder = Stack::openrouter(ApiKey::new("sk-or-v1-0").unwrap()).chain([FIRST]);
        builder.fail_on_finish_reason(reason, FailureKind::Upstream).build()
    };
    for (reason, fix) in [
        ("null", "never counts"),
        ("end_turn", "would refuse them all"),
        ("error", "leave it out"),
    ] {
        let error = of(reason).unwrap_err();
        assert!(
            matches!(error.problems(), [BuildProblem::FinishReason { .. }]),
            "{error}"
        );
        assert!(error.to_string().contains(fix), "{error}");
    }
    for reason in ["length", "content_filter", "tool_calls", "some-new-word"] {
        assert!(of(reason).is_ok(), "{reason}");
    }
}

/// A caller may ask for an answer of one token: that says nothing of the upstream's health, as whatever kind it counts.
#[tokio::test(start_paused = true)]
async fn it_opens_no_circuit() {
    let raw = upstream("length").await;
    let stack = raw.builder().fail_on_finish_reason("length", FailureKind::Upstream);
    let stack = stack.build().unwrap();
    for _ in 0..20 {
        assert_eq!(call(&stack, false, ask()).await.kind(), Some(FailureKind::Upstream));
    }
    let circuits = stack.circuits().unwrap().reports();
    assert!(circuits.iter().all(|report| report.state == CircuitState::Closed));
    assert_eq!(raw.seen().len(), 20);
}
