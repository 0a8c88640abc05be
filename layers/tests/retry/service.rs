//! Readiness, permits, and who leaves.

use tower::{Layer, Service, ServiceBuilder, ServiceExt, limit::ConcurrencyLimitLayer};
use tower_llm_layers::{FailureKind, FailureMarks, attempt::AttemptLayer, fallback::FallbackLayer};

use super::{failing, layer};
use crate::support::{Leaf, Step, TestError, ask, chain, fails, poll_once, secs, streamed};

#[tokio::test(start_paused = true)]
async fn waits_for_readiness_and_passes_its_failure_on() {
    let leaf = Leaf::new(failing(&fails(FailureKind::Reset))).ready_after(secs(5));
    let probe = leaf.probe();
    let service = layer().max_attempts(2).layer(leaf);
    ask(&service, streamed()).await.unwrap_err();
    assert_eq!(probe.times(), [5_000, 11_000]);
    probe.assert_quiet();
    let leaf = Leaf::new(failing(&fails(FailureKind::Reset)));
    let leaf = leaf.unready(fails(FailureKind::Internal));
    let error = ask(&layer().layer(leaf), streamed()).await.unwrap_err();
    assert_eq!((error.kind, error.marks.is_exhausted()), (FailureKind::Internal, true));
}

#[tokio::test(start_paused = true)]
async fn holds_no_permit_while_it_waits() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Reset)), Step::Hang]);
    let probe = leaf.probe();
    let mut service = layer().layer(ConcurrencyLimitLayer::new(1).layer(leaf));
    let mut first = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(first.as_mut()).is_pending());
    // The first one waits for its second attempt; another caller gets the permit meanwhile.
    let mut other = service.clone();
    let mut second = Box::pin(other.ready().await.unwrap().call(streamed()));
    assert!(poll_once(second.as_mut()).is_pending());
    assert_eq!(probe.calls(), 2);
    tokio::time::advance(secs(2)).await;
    assert!(poll_once(first.as_mut()).is_pending());
    drop(second);
    first.await.unwrap();
    assert_eq!((probe.calls(), probe.counts().peak), (3, 1));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn dropped_in_each_state_leaves_nothing() {
    // In flight, waiting, getting ready.
    for advance in [None, Some(secs(0)), Some(secs(1))] {
        let first = match advance {
            None => Step::Hang,
            Some(_) => Step::fail(fails(FailureKind::Reset)),
        };
        let leaf = Leaf::new([first]).ready_after(secs(5));
        let probe = leaf.probe();
        let mut service = layer().layer(leaf);
        let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(future.as_mut()).is_pending());
        tokio::time::advance(advance.unwrap_or_default()).await;
        assert!(poll_once(future.as_mut()).is_pending());
        drop(future);
        assert_eq!(probe.calls(), 1);
        assert_eq!(probe.counts().futures_dropped, usize::from(advance.is_none()));
        probe.assert_quiet();
    }
}

/// A service of the user's between forgets that the chain has given up, so the whole chain is called again.
#[tokio::test(start_paused = true)]
async fn above_a_chain_its_wait_is_noted_on_the_line_that_failed_last() {
    let forgets = |mut error: TestError| {
        error.marks = FailureMarks::default();
        error
    };
    let service = ServiceBuilder::new()
        .layer(layer().max_attempts(2))
        .map_err(forgets)
        .layer(FallbackLayer::new(chain(["a", "b"])))
        .layer(AttemptLayer::new())
        .service(Leaf::new(failing(&fails(FailureKind::Overloaded))));
    let error = ask(&service, streamed()).await.unwrap_err();
    let waits: Vec<_> = error.log().attempts().iter().map(|line| line.waited).collect();
    assert_eq!(waits, [None, Some(secs(1)), None, None]);
}
