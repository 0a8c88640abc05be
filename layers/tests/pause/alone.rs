//! No other candidate can answer: the call waits, or fails with the time at which the candidate is called again.

use std::time::Duration;

use http::Request;
use tokio::time::{Instant, advance};
use tower_llm_layers::{FailureKind, LayerError, Outcome};

use super::{Bench, limited};
use crate::support::{Leaf, Step, TestRequest, fails, join_all, secs, streamed, within};

fn until(left: u64) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().call.limit_deadline(Instant::now() + secs(left));
    request
}

#[tokio::test(start_paused = true)]
async fn it_waits_if_the_pause_ends_in_time_and_callers_wake_spread_out() {
    let leaf = Leaf::new([Step::fail(limited().hint(secs(10)))]);
    let bench = Bench::new(["a"], leaf);
    bench.call().await.unwrap_err();
    let results = join_all((0..5).map(|_| bench.call())).await;
    assert!(results.iter().all(Result::is_ok));
    let mut times = bench.probe.times();
    times.remove(0);
    assert!(times.iter().all(|at| (10_000..=11_000).contains(at)), "{times:?}");
    times.dedup();
    assert!(times.len() > 1, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn it_is_refused_at_once_if_the_pause_is_too_long_or_outlasts_the_deadline() {
    let leaf = Leaf::new([Step::fail(limited().hint(secs(15)))]);
    let bench = Bench::new(["a"], leaf);
    bench.call().await.unwrap_err();
    let (result, took) = within(bench.send(until(14))).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind, error.hint, took),
        (FailureKind::RateLimited, Some(secs(15)), Duration::ZERO)
    );
    assert!(error.marks.is_exhausted() && error.marks.is_paused());
    let lines = error.log().attempts();
    assert!(lines.iter().any(|line| line.outcome == Outcome::Skipped), "{lines:?}");
    assert_eq!(
        error.summary,
        "a at router is paused by a rate limit of the upstream: next attempt in 15 s"
    );
    assert!(bench.send(until(17)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_mistaken_hint_of_a_day_costs_a_minute() {
    let bench = Bench::new(["a"], Leaf::new([Step::fail(limited().hint(secs(86_400)))]));
    bench.call().await.unwrap_err();
    let error = bench.call().await.unwrap_err();
    assert_eq!(error.hint, Some(secs(60)));
    assert!(
        error.summary.ends_with("next attempt in 60 s, over in 24 h 0 min"),
        "{}",
        error.summary
    );
    advance(secs(50)).await;
    bench.call().await.unwrap();
    assert_eq!(bench.probe.times()[1] / 1_000, 60);
    for _ in 0..3 {
        bench.call().await.unwrap();
    }
}

/// Callers that wait for a probe pass once it has gone well.
#[tokio::test(start_paused = true)]
async fn those_that_wait_for_the_same_probe_pass_when_it_is_answered() {
    let slow = Step::Answer(
        secs(2),
        vec![crate::support::Beat::Frame(tower_llm_layers::Stage::Finish)],
    );
    let leaf = Leaf::new([Step::fail(limited().hint(secs(3_600))), slow]);
    let bench = Bench::new(["a"], leaf);
    bench.call().await.unwrap_err();
    advance(secs(55)).await;
    let begun = Instant::now();
    let results = join_all((0..20).map(|_| bench.call())).await;
    assert!(results.iter().all(Result::is_ok));
    assert!(begun.elapsed() < secs(15), "{:?}", begun.elapsed());
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_says_when_it_is_probed() {
    let gone = fails(FailureKind::QuotaExhausted)
        .says(403, "key limit")
        .hint(secs(7_200));
    let bench = Bench::new(["a"], Leaf::new([Step::fail(gone)]));
    bench.call().await.unwrap_err();
    let error = bench.call().await.unwrap_err();
    assert_eq!(
        (error.kind, error.hint),
        (FailureKind::QuotaExhausted, Some(secs(3_600)))
    );
    assert!(matches!(error.layer, Some(LayerError::Paused { .. })));
    assert_eq!(
        error.summary,
        "the quota of a at router is exhausted: next attempt in 1 h 0 min, over in 2 h 0 min"
    );
    assert_eq!(bench.probe.calls(), 1);
}

/// Dropped while it waits, a call takes nothing.
#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_while_it_waits_takes_nothing() {
    let bench = Bench::new(["a"], Leaf::new([Step::fail(limited().hint(secs(10)))]));
    bench.call().await.unwrap_err();
    let left = tokio::time::timeout(secs(3), bench.call()).await;
    assert!(left.is_err());
    assert_eq!(bench.probe.calls(), 1);
    let (result, took) = within(bench.call()).await;
    result.unwrap();
    assert!(took >= secs(7) && took < secs(8), "{took:?}");
    bench.probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_our_own_pauses_no_other_call() {
    use tower::Layer;
    use tower_llm_layers::{
        GlobalKey,
        pause::PauseLayer,
        rate_limit::{Limits, Rate, RateLimitLayer},
    };
    let limits = Limits::new().requests(Rate::new(1, secs(60)).unwrap());
    let leaf = Leaf::new([]);
    let layer = PauseLayer::new();
    let service = layer.layer(RateLimitLayer::new(limits, GlobalKey).unwrap().layer(leaf));
    let of_a = || {
        let mut request = streamed();
        request.body_mut().model = Some("a".into());
        request
    };
    crate::support::ask(&service, of_a()).await.map(drop).unwrap();
    for _ in 0..5 {
        let (result, took) = within(crate::support::ask(&service, of_a())).await;
        assert!(result.is_err() && took == Duration::ZERO);
    }
    assert!(layer.pauses().reports().is_empty());
}
