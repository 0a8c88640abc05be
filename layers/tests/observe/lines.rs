//! What the lines of a plain log say at `info` and above.

use std::future::ready;

use http::{Request, Response};
use tower::{ServiceBuilder, service_fn};
use tower_llm_layers::{
    FailureKind, LlmRequest,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    fallback::{Chain, FallbackLayer},
    observe::ObserveLayer,
};

use super::{Stack, stream};
use crate::support::{
    Leaf, ScriptBody, Step, TestError, TestRequest, ask, candidate, chain, fails, log, read, secs, streamed,
};

#[tokio::test(start_paused = true)]
async fn an_operation_names_the_candidate_that_was_tried_last_and_none_that_was_passed_over() {
    log::listen();
    let pooled = |name: &str| candidate(name).with_pool("free");
    let chain = Chain::new([pooled("a"), pooled("b")]).unwrap();
    let refuses = service_fn(|request: Request<TestRequest>| {
        request.body().call().attempt().unwrap().not_sent();
        ready(Err::<Response<ScriptBody>, TestError>(fails(
            FailureKind::QuotaExhausted,
        )))
    });
    let service = ServiceBuilder::new()
        .layer(ObserveLayer::new())
        .layer(FallbackLayer::new(chain))
        .layer(AttemptLayer::new())
        .service(refuses);
    ask(&service, streamed()).await.map(drop).unwrap_err();
    assert_eq!(log::one("candidate passed over")["model"], "b");
    let ended = log::one("operation ended");
    assert_eq!((&*ended["model"], &*ended["attempts"]), ("a", "0"));
}

/// Its words read as if the caller's own key were meant.
#[tokio::test(start_paused = true)]
async fn a_key_that_the_upstream_rejects_is_called_so() {
    log::listen();
    let rejected = fails(FailureKind::Auth).says(401, "No auth credentials found");
    let limited = fails(FailureKind::RateLimited).says(429, "slow down").hint(secs(120));
    let leaf = Leaf::new([])
        .on("a", [Step::fail(rejected)])
        .on("b", [Step::fail(limited)]);
    let stack = Stack::of(chain(["a"])).over(leaf.clone());
    ask(&stack, stream("a")).await.map(drop).unwrap_err();
    let line = log::one("attempt failed: the upstream rejects the API key that it was sent");
    assert_eq!((&*line["kind"], &*line["upstream"]), ("auth", "router"));
    assert!(!line.contains_key("retry_after"), "there is none: {line:?}");
    let stack = Stack::of(chain(["b"])).over(leaf);
    ask(&stack, stream("b")).await.map(drop).unwrap_err();
    assert_eq!(log::one("attempt failed")["retry_after"], "120s");
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_skipped_while_its_circuit_is_open_is_no_warning_at_each_call() {
    log::listen();
    let failed = || Step::fail(fails(FailureKind::Overloaded));
    let leaf = Leaf::new([]).on("a", (0..40).map(|_| failed()).collect::<Vec<_>>());
    let service = ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(["a", "b"])))
        .layer(CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap())
        .layer(AttemptLayer::new())
        .service(leaf);
    for _ in 0..30 {
        let response = ask(&service, streamed()).await.unwrap();
        read(response.into_body()).await;
    }
    let levels = |kind: &str| -> Vec<String> {
        let moves = log::heard().into_iter();
        let moves = moves.filter(|event| event["message"] == "next candidate" && event["kind"] == kind);
        moves.map(|event| event["level"].clone()).collect()
    };
    let (failed, skipped) = (levels("overloaded"), levels("circuit_open"));
    assert!(
        !failed.is_empty() && failed.iter().all(|level| level == "WARN"),
        "{failed:?}"
    );
    assert!(
        !skipped.is_empty() && skipped.iter().all(|level| level == "INFO"),
        "{skipped:?}"
    );
}
