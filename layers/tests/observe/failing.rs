//! The spans of calls that go wrong on their way, or for good.

use tower_llm_layers::{FailureKind, Stage, observe::names as n};

use super::{Stack, answer, attempts, fields, operation, stream};
use crate::support::{Beat, Leaf, Step, ask, chain, charged, fails, log, millis, read};

#[tokio::test(start_paused = true)]
async fn a_failure() {
    log::listen();
    let refused = fails(FailureKind::BadRequest).says(400, "no such field");
    let stack = Stack::of(chain(["gpt-5"])).over(Leaf::new([Step::Fail(millis(300), refused)]));
    let error = ask(&stack, stream("gpt-5")).await.unwrap_err();
    assert_eq!(error.log().sent(), 1, "the log is on the error");
    let names = [
        n::OUTCOME,
        n::STATUS_CODE,
        n::ERROR_TYPE,
        n::HTTP_STATUS,
        n::ATTEMPTS,
        n::PROVIDER,
        n::RESPONSE_MODEL,
    ];
    let expected = [
        "llm.outcome=failed",
        "otel.status_code=ERROR",
        "error.type=bad_request",
        "http.response.status_code=400",
        "llm.attempts=1",
        "gen_ai.provider.name=router",
        "gen_ai.response.model=-",
    ];
    assert_eq!(fields(&operation(), names), expected);
    assert_eq!(operation().handles, 0);
    let attempts = attempts();
    assert_eq!(attempts.len(), 1);
    let names = [n::OUTCOME, n::STATUS_CODE, n::ERROR_TYPE, n::HTTP_STATUS];
    assert_eq!(fields(&attempts[0], names), expected[..4]);
}

#[tokio::test(start_paused = true)]
async fn retried_and_fallen_back_it_is_one_operation_and_four_attempts() {
    log::listen();
    let overloaded = || Step::fail(fails(FailureKind::Overloaded).says(503, "overloaded"));
    let leaf = Leaf::new([])
        .on("a", [overloaded(), overloaded()])
        .on("b", [overloaded(), Step::body(answer())]);
    let stack = Stack::of(chain(["a", "b"])).over(leaf);
    read(ask(&stack, stream("a")).await.unwrap().into_body()).await;
    let names = [
        n::SPAN_NAME,
        n::OUTCOME,
        n::REQUEST_MODEL,
        n::ATTEMPTS,
        n::RETRY_COUNT,
        n::FALLBACK_COUNT,
        n::ERROR_TYPE,
        n::COST,
    ];
    let expected = [
        "otel.name=chat a",
        "llm.outcome=answered",
        "gen_ai.request.model=a",
        "llm.attempts=4",
        "llm.retries=2",
        "llm.fallbacks=1",
        "error.type=-",
        "llm.cost.usd=0.25",
    ];
    assert_eq!(fields(&operation(), names), expected);
    let names = [n::ATTEMPT_NUMBER, n::REQUEST_MODEL, n::OUTCOME, n::ERROR_TYPE];
    let told: Vec<String> = attempts().iter().map(|span| fields(span, names).join(" ")).collect();
    let line = |number: u32, model: &str, outcome: &str, error: &str| {
        format!("llm.attempt.number={number} gen_ai.request.model={model} llm.outcome={outcome} error.type={error}")
    };
    assert_eq!(
        told,
        [
            line(1, "a", "failed", "overloaded"),
            line(2, "a", "failed", "overloaded"),
            line(3, "b", "failed", "overloaded"),
            line(4, "b", "answered", "-"),
        ]
    );
    assert!(attempts().iter().all(|span| span.parent == Some(0)));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_answer() {
    log::listen();
    let beats = [
        Beat::Frame(Stage::Content),
        charged(100, 1, "0.5"),
        Beat::Fail(fails(FailureKind::Malformed)),
    ];
    let stack = Stack::of(chain(["a"])).over(Leaf::new([Step::body(beats)]));
    let reading = read(ask(&stack, stream("a")).await.unwrap().into_body()).await;
    assert!(reading.error.is_some());
    let names = [n::OUTCOME, n::ERROR_TYPE, n::OUTPUT_TOKENS, n::COST, n::COST_WASTED];
    let expected = [
        "llm.outcome=failed",
        "error.type=malformed",
        "gen_ai.usage.output_tokens=1",
        "llm.cost.usd=0.5",
        "llm.cost.wasted_usd=0.5",
    ];
    assert_eq!(fields(&operation(), names), expected);
    let expected = ["llm.outcome=failed", "error.type=malformed"];
    assert_eq!(fields(&attempts()[0], [n::OUTCOME, n::ERROR_TYPE]), expected);
}

#[tokio::test(start_paused = true)]
async fn a_canned_reply() {
    log::listen();
    let leaf = Leaf::new([]).always("a", Step::fail(fails(FailureKind::Overloaded)));
    let mut stack = Stack::of(chain(["a"]));
    stack.canned = true;
    read(ask(&stack.over(leaf), stream("a")).await.unwrap().into_body()).await;
    let names = [
        n::OUTCOME,
        n::DEGRADED_SOURCE,
        n::DEGRADED_REASON,
        n::ERROR_TYPE,
        n::STATUS_CODE,
        n::ATTEMPTS,
    ];
    let expected = [
        "llm.outcome=degraded",
        "llm.degraded.source=canned_reply",
        "llm.degraded.reason=overloaded",
        "error.type=-",
        "otel.status_code=OK",
        "llm.attempts=2",
    ];
    assert_eq!(fields(&operation(), names), expected);
}
