//! Retries are a share of the calls, whoever repeats an attempt.

use tower::Layer;
use tower_llm_layers::{
    FailureKind,
    attempt::AttemptLayer,
    fallback::FallbackLayer,
    retry::{RetryBudget, RetryLayer},
};

use crate::support::{Leaf, Step, ask, chain, fails, streamed};

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
