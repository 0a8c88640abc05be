//! Dropping a frame runs foreign code: it may use the cache, and no caller waits for it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    task::{Context, Poll},
    thread,
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body, Frame as BodyFrame};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    Frame, GlobalKey, Stage,
    cache::{Cache, CacheLayer, CacheService},
};

use super::{MIB, is_hit, numbered};
use crate::support::{TestError, TestRequest, secs};

type Hook = dyn Fn() + Send + Sync;

/// A frame that ends an answer. The hook runs when its last copy goes.
#[derive(Clone)]
struct Hooked {
    bytes: usize,
    _last: Arc<Last>,
}

struct Last(Arc<Hook>);

impl Drop for Last {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl bytes::Buf for Hooked {
    fn remaining(&self) -> usize {
        0
    }

    fn chunk(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, _: usize) {}
}

impl Frame for Hooked {
    fn stage(&self) -> Stage {
        Stage::Finish
    }

    fn size_in_bytes(&self) -> usize {
        self.bytes
    }
}

/// One frame, or trailers.
struct Pieces(Vec<BodyFrame<Hooked>>);

impl Body for Pieces {
    type Data = Hooked;
    type Error = TestError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Hooked>, TestError>>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

/// Answers with a hooked frame, the last piece first.
#[derive(Clone)]
struct Hooking {
    hook: Arc<Hook>,
    trailers: fn(frame: BodyFrame<Hooked>) -> Vec<BodyFrame<Hooked>>,
}

impl Hooking {
    fn new(hook: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            hook: Arc::new(hook),
            trailers: |frame| vec![frame],
        }
    }
}

impl Service<Request<TestRequest>> for Hooking {
    type Response = Response<Pieces>;
    type Error = TestError;
    type Future = std::future::Ready<Result<Response<Pieces>, TestError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TestError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<TestRequest>) -> Self::Future {
        let frame = BodyFrame::data(Hooked {
            bytes: if request.body().prompt.starts_with("9") {
                30_000
            } else {
                1000
            },
            _last: Arc::new(Last(Arc::clone(&self.hook))),
        });
        std::future::ready(Ok(Response::new(Pieces((self.trailers)(frame)))))
    }
}

type HookedService = CacheService<Hooking, Hooked, TestError, GlobalKey>;

async fn was_hit(service: &HookedService, number: usize) -> bool {
    let response = service.clone().oneshot(numbered(number)).await.unwrap();
    let hit = is_hit(&response);
    response.into_body().collect().await.unwrap();
    hit
}

fn run(future: impl Future) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future);
}

/// Where threads must agree on the time.
fn run_by_the_real_clock(future: impl Future) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(future);
}

/// Keeps fifty answers whose frames ask the cache when they go, and then does this. A lock that is held meanwhile shows by its never ending.
fn asking_back(then: impl AsyncFnOnce(&HookedService, &Cache<Hooked>) + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        let cache: Cache<Hooked> = Cache::new(80_000).time_to_live(secs(60));
        let asked: Arc<Mutex<Option<HookedService>>> = Arc::default();
        let back = Arc::clone(&asked);
        let leaf = Hooking::new(move || {
            let service = back.lock().unwrap().clone();
            if let Some(service) = service {
                let _ = (service.coalescable_calls(), service.cache().bytes());
            }
        });
        let service = CacheLayer::new(cache.clone(), GlobalKey).layer(leaf);
        asked.lock().unwrap().replace(service.clone());
        run(async {
            for number in 0..50 {
                was_hit(&service, number).await;
            }
            then(&service, &cache).await;
        });
        asked.lock().unwrap().take();
        done.send(()).unwrap_or_default();
    });
    is_done.recv_timeout(secs(5)).expect("it ends");
}

#[test]
fn a_frame_may_ask_when_all_is_cleared() {
    asking_back(async |_, cache| cache.clear());
}

#[test]
fn a_frame_may_use_the_cache_when_it_is_stale() {
    asking_back(async |service, _| {
        tokio::time::sleep(secs(60)).await;
        // Asked for, and then let go of with all others.
        was_hit(service, 7).await;
        was_hit(service, 100).await;
    });
}

#[test]
fn a_frame_may_ask_when_another_one_takes_its_room() {
    asking_back(async |service, _| {
        for number in [100, 101, 102, 900, 901, 902] {
            was_hit(service, number).await;
        }
    });
}

#[test]
fn a_frame_may_ask_when_it_is_forgotten() {
    asking_back(async |_, cache| {
        let layer = CacheLayer::<Hooked, TestError, _>::new(cache.clone(), GlobalKey);
        cache.forget(&layer.key(&numbered(1)).unwrap());
    });
}

/// Hits continue while many entries are evicted.
#[test]
fn eviction_blocks_no_caller() {
    let (goes, is_going) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let waits = Mutex::new(Some((goes, may_go_on)));
    let held_up = Arc::new(AtomicBool::new(false));
    let is_held_up = Arc::clone(&held_up);
    let leaf = Hooking::new(move || {
        let first = waits.lock().unwrap().take();
        if let Some((goes, may_go_on)) = first {
            goes.send(()).unwrap_or_default();
            let waited = may_go_on.recv_timeout(Duration::from_secs(5));
            is_held_up.store(waited == Err(RecvTimeoutError::Timeout), Ordering::SeqCst);
        }
    });
    let cache: Cache<Hooked> = Cache::new(MIB);
    let service = CacheLayer::new(cache.clone(), GlobalKey).layer(leaf);
    run_by_the_real_clock(async {
        was_hit(&service, 1).await;
        let clearing = thread::spawn(move || cache.clear());
        is_going.recv_timeout(secs(5)).expect("the frame goes");
        assert!(!was_hit(&service, 1).await && was_hit(&service, 1).await);
        drop(go_on);
        clearing.join().unwrap();
    });
    assert!(!held_up.load(Ordering::SeqCst));
}

fn trailers(bytes: usize) -> BodyFrame<Hooked> {
    let mut map = HeaderMap::new();
    map.insert("x-long", HeaderValue::from_str(&"x".repeat(bytes)).unwrap());
    BodyFrame::trailers(map)
}

#[test]
fn the_bound_counts_the_text_of_trailers() {
    let leaf = Hooking {
        trailers: |frame| vec![trailers(100_000), frame],
        ..Hooking::new(|| {})
    };
    let service = CacheLayer::new(Cache::new(MIB), GlobalKey).layer(leaf);
    run(async {
        for number in 0..20 {
            was_hit(&service, number).await;
        }
        let mut kept = 0;
        for number in (0..20).rev() {
            kept += usize::from(was_hit(&service, number).await);
        }
        assert!((9..=10).contains(&kept), "{kept} of 100 KB each");
    });
}

#[test]
fn a_body_that_continues_after_its_trailers_is_not_cached() {
    for pieces in [(|frame| vec![frame, trailers(1)]) as fn(_) -> Vec<_>, |frame| {
        vec![trailers(1), trailers(1), frame]
    }] {
        let leaf = Hooking {
            trailers: pieces,
            ..Hooking::new(|| {})
        };
        let service = CacheLayer::new(Cache::new(MIB), GlobalKey).layer(leaf);
        run(async {
            assert!(!was_hit(&service, 1).await && !was_hit(&service, 1).await);
        });
    }
}
