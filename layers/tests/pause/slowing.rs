//! A success that says how little is left slows the candidate down before the first refusal.

use std::{
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    fallback::FallbackLayer,
    pause::{PauseLayer, RateLimitStatus},
};

use crate::support::{TestError, TestRequest, chain, secs, streamed};

/// Answers, with what is left, and keeps when each model was called.
#[derive(Clone, Default)]
struct Says {
    status: Option<RateLimitStatus>,
    calls: Arc<Mutex<Vec<(String, Instant)>>>,
}

impl Service<Request<TestRequest>> for Says {
    type Response = Response<Full<bytes::Bytes>>;
    type Error = TestError;
    type Future = Ready<Result<Self::Response, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let model = request.into_body().model.unwrap_or_default();
        let is_first = model == "a";
        self.calls.lock().unwrap().push((model, Instant::now()));
        let mut response = Response::new(Full::default());
        if let Some(status) = self.status.filter(|_| is_first) {
            response.extensions_mut().insert(status);
        }
        ready(Ok(response))
    }
}

/// Says so each time.
fn says(remaining: u64, reset: Duration) -> Says {
    let limit = Some(100);
    let status = Some(RateLimitStatus::new(remaining, limit, reset));
    Says {
        status,
        ..Says::default()
    }
}

async fn call_each_second<const N: usize>(names: [&str; N], leaf: Says, seconds: usize) -> Vec<String> {
    let calls = Arc::clone(&leaf.calls);
    let service = FallbackLayer::new(chain(names)).layer(PauseLayer::new().layer(leaf));
    for _ in 0..seconds {
        assert!(service.clone().oneshot(streamed()).await.is_ok());
        tokio::time::advance(secs(1)).await;
    }
    let calls = calls.lock().unwrap();
    calls.iter().map(|(model, _)| model.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn plenty_slows_nothing() {
    let called = call_each_second(["a", "b"], says(50, secs(60)), 20).await;
    assert!(called.iter().all(|model| model == "a"));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_spread_over_the_time_to_the_reset() {
    // Five calls in a minute: one in ten seconds, and the others go to the next candidate.
    let called = call_each_second(["a", "b"], says(5, secs(60)), 60).await;
    assert_eq!(called.iter().filter(|model| *model == "a").count(), 6, "{called:?}");
}

#[tokio::test(start_paused = true)]
async fn without_another_candidate_calls_wait_for_their_turn() {
    let begun = Instant::now();
    let called = call_each_second(["a"], says(5, secs(60)), 4).await;
    assert_eq!(called.len(), 4);
    assert!(
        begun.elapsed() >= secs(30) && begun.elapsed() < secs(40),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_is_far_away_is_probed_once_a_minute() {
    let called = call_each_second(["a", "b"], says(0, secs(40_000)), 180).await;
    assert_eq!(called.iter().filter(|model| *model == "a").count(), 3);
}
