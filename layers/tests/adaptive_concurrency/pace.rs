//! What is no slowness of the upstream.

use http::Request;
use tokio::time::advance;
use tower::Layer;
use tower_llm_layers::{
    Stage,
    adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy},
    attempt::AttemptLayer,
    fallback::FallbackLayer,
    rate_limit::{Limits, PerCandidate, Rate, RateLimitLayer},
};

use crate::support::{Beat, Leaf, Step, TestRequest, ask, chain, millis, plain, read, secs, streamed};

fn good(wait: u64) -> Step {
    Step::Answer(millis(wait), vec![Beat::Frame(Stage::Finish)])
}

fn named(mut request: Request<TestRequest>) -> Request<TestRequest> {
    request.body_mut().model = Some("m".into());
    request
}

/// A plain call's whole answer is no first token: an upstream that is as well as ever keeps its limit.
#[tokio::test(start_paused = true)]
async fn plain_calls_after_streams_take_nothing_of_the_limit() {
    let steps = (0..100).map(|_| good(300)).chain((0..200).map(|_| good(6_000)));
    let layer = AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new()).unwrap();
    let service = layer.layer(AttemptLayer::new().layer(Leaf::new(steps)));
    for _ in 0..100 {
        read(ask(&service, named(streamed())).await.unwrap().into_body()).await;
    }
    let before = layer.limits().reports().remove(0).limit;
    for _ in 0..200 {
        read(ask(&service, named(plain())).await.unwrap().into_body()).await;
    }
    let after = layer.limits().reports().remove(0).limit;
    assert!(after >= before, "from {before} to {after}");
}

/// The wait for our own rate limit, which stands inside, is not the upstream's slowness.
#[tokio::test(start_paused = true)]
async fn a_wait_for_our_own_rate_limit_takes_nothing_of_the_limit() {
    let policy = ConcurrencyPolicy::new().initial(20);
    let layer = AdaptiveConcurrencyLayer::new(policy).unwrap();
    let leaf = Leaf::new([]).always("m", good(300));
    let rate = Limits::new().requests(Rate::new(5, secs(1)).unwrap());
    let turns = RateLimitLayer::new(rate, PerCandidate).unwrap().max_wait(secs(60));
    let service = FallbackLayer::new(chain(["m"])).layer(layer.layer(turns.layer(AttemptLayer::new().layer(leaf))));
    // Quiet times.
    for _ in 0..40 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
        advance(secs(1)).await;
    }
    let before = layer.limits().reports().remove(0).limit;
    // A burst: each but the first few waits at our own limit, and is answered as quickly as ever.
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move {
                read(ask(&service, streamed()).await.unwrap().into_body())
                    .await
                    .error
                    .is_none()
            })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap());
    }
    let after = layer.limits().reports().remove(0).limit;
    assert!(after >= before, "from {before} to {after}");
}

/// Streams were slow for a while, and are over; the plain calls that follow say nothing of the pace.
#[tokio::test(start_paused = true)]
async fn plain_calls_cut_no_limit_by_what_streams_said_before() {
    let policy = ConcurrencyPolicy::new().initial(20).ceiling(20);
    let layer = AdaptiveConcurrencyLayer::new(policy).unwrap();
    let steps = (0..100)
        .map(|_| good(300))
        .chain((0..20).map(|_| good(1_500)))
        .chain((0..2_000).map(|_| good(50)));
    let service = layer.layer(AttemptLayer::new().layer(Leaf::new(steps)));
    for _ in 0..120 {
        read(ask(&service, named(streamed())).await.unwrap().into_body()).await;
    }
    let before = layer.limits().reports().remove(0).limit;
    for _ in 0..2_000 {
        read(ask(&service, named(plain())).await.unwrap().into_body()).await;
    }
    let after = layer.limits().reports().remove(0).limit;
    assert!(after >= before, "from {before} to {after}");
}
