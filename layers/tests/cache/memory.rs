//! What is held, counted by the frames that are alive.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    Frame, GlobalKey, Stage,
    cache::{Cache, CacheLayer},
};

use super::{MIB, numbered};
use crate::support::{TestError, TestRequest, streamed};

/// A frame of 700 bytes that is counted while it is there. The last one is a finish.
#[derive(Clone)]
struct Counted {
    _count: Arc<()>,
    stage: Stage,
}

const SIZE: usize = 700;

impl bytes::Buf for Counted {
    fn remaining(&self) -> usize {
        0
    }

    fn chunk(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, _: usize) {}
}

impl Frame for Counted {
    fn stage(&self) -> Stage {
        self.stage
    }

    fn size_in_bytes(&self) -> usize {
        SIZE
    }
}

/// Answers at once with so many frames.
#[derive(Clone)]
struct Counting {
    count: Arc<()>,
    frames: usize,
}

impl Counting {
    fn new(frames: usize) -> Self {
        Self {
            count: Arc::new(()),
            frames,
        }
    }

    /// How many frames are alive, but for what the services hold themselves.
    fn alive(&self, services: usize) -> usize {
        Arc::strong_count(&self.count) - services
    }
}

struct CountingBody(Counting);

impl Body for CountingBody {
    type Data = Counted;
    type Error = TestError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Counted>, TestError>>> {
        let Some(left) = self.0.frames.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.0.frames = left;
        let stage = if left == 0 { Stage::Finish } else { Stage::Content };
        Poll::Ready(Some(Ok(BodyFrame::data(Counted {
            _count: Arc::clone(&self.0.count),
            stage,
        }))))
    }
}

impl Service<Request<TestRequest>> for Counting {
    type Response = Response<CountingBody>;
    type Error = TestError;
    type Future = std::future::Ready<Result<Response<CountingBody>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<TestRequest>) -> Self::Future {
        std::future::ready(Ok(Response::new(CountingBody(self.clone()))))
    }
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_under_a_flood() {
    let bound = 100_000;
    let leaf = Counting::new(1);
    let cache = Cache::new(u64::try_from(bound).unwrap());
    let service = CacheLayer::new(cache, GlobalKey).layer(leaf.clone());
    let mut most = 0;
    for number in 0..600 {
        let response = service.clone().oneshot(numbered(number)).await.unwrap();
        response.into_body().collect().await.unwrap();
        let alive = leaf.alive(2) * SIZE;
        assert!(alive <= bound, "{alive} bytes");
        most = most.max(alive);
    }
    assert!(most > bound / 2, "{most} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_lone_reader_of_an_answer_that_is_too_large_holds_next_to_nothing() {
    let leaf = Counting::new(1000);
    let cache = Cache::new(MIB).largest(10 * SIZE);
    let service = CacheLayer::new(cache, GlobalKey).layer(leaf.clone());
    let mut body = service.clone().oneshot(streamed()).await.unwrap().into_body();
    for read in 0..1000 {
        body.frame().await.unwrap().unwrap();
        let most = if read < 10 { read + 1 } else { 1 };
        // The body holds one count itself.
        assert!(leaf.alive(3) <= most, "{} after {read}", leaf.alive(3));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_for_laggards_is_bounded_too() {
    let leaf = Counting::new(1000);
    let cache = Cache::new(MIB).largest(10 * SIZE);
    let service = CacheLayer::new(cache, GlobalKey).layer(leaf.clone());
    let mut body = service.clone().oneshot(streamed()).await.unwrap().into_body();
    let _laggard = service.clone().oneshot(streamed()).await.unwrap();
    for _ in 0..1000 {
        body.frame().await.unwrap().unwrap();
        assert!(leaf.alive(3) <= 11, "{}", leaf.alive(3));
    }
}
