//! Retries are a share of the calls, whoever repeats an attempt.

use tower::Layer;
use tower_llm_layers::{
    FailureKind,
    attempt::AttemptLayer,
    circuit_breaker::{CircuitBreakerLayer, CircuitPolicy},
    fallback::FallbackLayer,
    retry::{RetryBudget, RetryLayer},
};

use super::Fixed;
use crate::support::{Leaf, Step, ask, candidate, chain, fails, millis, secs, streamed};

/// One call with five candidates is one call: the share is of calls.
#[tokio::test(start_paused = true)]
async fn the_share_of_retries_is_of_calls_however_long_the_chain() {
    let leaf = Leaf::new([]);
    let leaf = ["a", "b", "c", "d", "e"].into_iter().fold(leaf, |leaf, model| {
        leaf.always(model, Step::fail(fails(FailureKind::Upstream)))
    });
    let probe = leaf.probe();
    let retry = RetryLayer::new().max_attempts(2).budget(RetryBudget::new(0.2, 0.0));
    let service =
        FallbackLayer::new(chain(["a", "b", "c", "d", "e"])).layer(retry.layer(AttemptLayer::new().layer(leaf)));
    for _ in 0..100 {
        ask(&service, streamed()).await.map(drop).unwrap_err();
    }
    let retries = probe.calls() - 500;
    assert!(retries <= 20, "{retries} retries of 100 calls, where a fifth may be");
}

/// The one that is asked after all, and may not be for want of a retry, hides nothing of why the others failed.
#[tokio::test(start_paused = true)]
async fn a_last_resort_that_may_not_be_asked_hides_not_why_the_last_one_failed() {
    let leaf = Leaf::new([])
        .always("a", Step::fail(fails(FailureKind::Upstream)))
        .always(
            "b",
            Step::fail(fails(FailureKind::Throttled).hint(secs(50)).says(429, "come back")),
        );
    let breaker = CircuitBreakerLayer::new(CircuitPolicy::new()).unwrap();
    let paced = breaker.layer(AttemptLayer::new().layer(leaf));
    let retry = RetryLayer::new()
        .max_attempts(2)
        .schedule(Fixed(vec![secs(1); 9]))
        .budget(RetryBudget::new(1.0, 0.0));
    let service = FallbackLayer::new(chain(["a", "b"])).layer(retry.layer(paced.clone()));
    let call = tokio::spawn(async move { ask(&service, streamed()).await.map(drop).unwrap_err() });
    tokio::time::sleep(millis(500)).await;
    // Meanwhile others open the circuit.
    for _ in 0..9 {
        let mut request = streamed();
        request.body_mut().call.set_candidate(candidate("a"), true, true);
        request.body_mut().model = Some("a".into());
        ask(&paced, request).await.map(drop).unwrap_err();
    }
    let error = call.await.unwrap();
    assert_eq!(
        (error.kind, error.hint),
        (FailureKind::Throttled, Some(secs(50))),
        "{}\n{}",
        error.summary,
        error.log()
    );
}
