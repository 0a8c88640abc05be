//! A store of one's own: another eviction, a store elsewhere, and one that hangs or fails.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    CacheMode, Degraded, FailureKind, GlobalKey, LayerError, Stage, StorableFrame,
    cache::{AnswerKey, Cache, CacheLayer, CacheStore, CachedAnswer, CachedResponse, KeySecret, Lookup, ReplayBody},
    degrade::{Degradation, DegradeLayer, StaleLater},
};

use super::{TestLayer, TestService, frames, is_hit, places, slow, status};
use crate::support::{
    Beat, Leaf, Step, TestError, TestFrame, TestRequest, ask, fails, millis, poll_once, secs, streamed, within,
};

impl StorableFrame for TestFrame {
    fn write_bytes(&self, out: &mut Vec<u8>) {
        let stage = match self.stage {
            Stage::Content => 1,
            Stage::Finish => 2,
            _ => 3,
        };
        out.extend([stage, u8::try_from(self.index).unwrap()]);
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stage, index) = match bytes {
            [1, index] => (Stage::Content, *index),
            [2, index] => (Stage::Finish, *index),
            [3, index] => (Stage::Trailer, *index),
            _ => return None,
        };
        let index = usize::from(index);
        Some(Self {
            index,
            ..Self::of(stage)
        })
    }
}

/// How a store answers.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mood {
    AtOnce,
    After(Duration),
    Fails,
    Hangs,
}

/// A store that several caches share, which keeps bytes.
#[derive(Clone)]
pub(super) struct Elsewhere(Arc<Inner>);

struct Inner {
    kept: Mutex<HashMap<[u8; 16], Vec<u8>>>,
    mood: Mutex<Mood>,
    looks: AtomicUsize,
    /// Looks that hung, and were dropped.
    dropped: AtomicUsize,
}

/// Counts if it is dropped.
struct Ends(Arc<Inner>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl Elsewhere {
    pub(super) fn new(mood: Mood) -> Self {
        Self(Arc::new(Inner {
            kept: Mutex::default(),
            mood: Mutex::new(mood),
            looks: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        }))
    }

    pub(super) fn looks(&self) -> usize {
        self.0.looks.load(Ordering::Relaxed)
    }

    pub(super) fn is(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    fn len(&self) -> usize {
        self.0.kept.lock().unwrap().len()
    }
}

impl CacheStore<TestFrame> for Elsewhere {
    fn get(&self, key: &AnswerKey) -> Lookup<TestFrame> {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
        let found = self.0.kept.lock().unwrap().get(&key.to_bytes()).cloned();
        let found = found.and_then(|bytes| CachedResponse::from_bytes(&bytes));
        let mood = *self.0.mood.lock().unwrap();
        match mood {
            Mood::AtOnce => Lookup::Now(found),
            Mood::After(time) => Lookup::Later(Box::pin(async move {
                sleep(time).await;
                Ok(found)
            })),
            Mood::Fails => Lookup::Later(Box::pin(async { Err("connection refused".into()) })),
            Mood::Hangs => {
                let ends = Ends(Arc::clone(&self.0));
                Lookup::Later(Box::pin(async move {
                    let _ends = ends;
                    std::future::pending().await
                }))
            }
        }
    }

    fn put(&self, key: &AnswerKey, response: CachedResponse<TestFrame>) {
        let bytes = response.to_bytes().unwrap();
        self.0.kept.lock().unwrap().insert(key.to_bytes(), bytes);
    }

    fn remove(&self, key: &AnswerKey) {
        self.0.kept.lock().unwrap().remove(&key.to_bytes());
    }

    fn clear(&self) {
        self.0.kept.lock().unwrap().clear();
    }
}

pub(super) fn layer_of(cache: Cache<TestFrame>) -> TestLayer {
    CacheLayer::new(cache, GlobalKey).key_secret(KeySecret::new([7; 32]))
}

pub(super) fn over(store: &Elsewhere, leaf: Leaf) -> TestService {
    layer_of(Cache::with_store(store.clone())).layer(leaf)
}

pub(super) async fn read(service: &TestService, request: Request<TestRequest>) -> (Vec<usize>, bool) {
    let response = ask(service, request).await.unwrap();
    let hit = is_hit(&response);
    (places(&frames(response.into_body()).await.0), hit)
}

#[tokio::test(start_paused = true)]
async fn it_is_read_and_filled_and_shared_by_caches_with_the_same_secret() {
    for mood in [Mood::AtOnce, Mood::After(millis(5))] {
        let store = Elsewhere::new(mood);
        let (one, other) = (Leaf::new([slow(3)]), Leaf::new([]));
        let probe = other.probe();
        let (first, hit) = read(&over(&store, one), streamed()).await;
        assert!(!hit && store.len() == 1);
        let (again, hit) = read(&over(&store, other), streamed()).await;
        assert_eq!((again, hit, probe.calls()), (first, true, 0));
        // Another secret has other keys.
        let strange = CacheLayer::new(Cache::with_store(store.clone()), GlobalKey).key_secret(KeySecret::new([8; 32]));
        let strange: TestService = strange.layer(Leaf::new([slow(1)]));
        assert!(!read(&strange, streamed()).await.1);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_or_hangs_is_a_miss_and_fails_no_call() {
    for (mood, waits) in [(Mood::Fails, Duration::ZERO), (Mood::Hangs, millis(250))] {
        let store = Elsewhere::new(mood);
        let leaf = Leaf::new([]);
        let (probe, service) = (leaf.probe(), over(&store, leaf));
        let ((_, hit), took) = within(read(&service, streamed())).await;
        assert_eq!((hit, took, store.looks()), (false, waits, 1));
        // The next ones do not look at it.
        for _ in 0..3 {
            let (_, took) = within(read(&service, streamed())).await;
            assert_eq!((took, store.looks()), (Duration::ZERO, 1));
        }
        // After a second one call probes it, and when it works again its responses are used.
        advance(secs(1)).await;
        let (probed, beside) = tokio::join!(read(&service, streamed()), read(&service, streamed()));
        assert_eq!((probed.1, beside.1, store.looks()), (false, false, 2));
        store.is(Mood::After(millis(1)));
        advance(secs(2)).await;
        let calls = probe.calls();
        assert!(read(&service, streamed()).await.1, "a probe that finds it");
        assert!(read(&service, streamed()).await.1);
        assert_eq!((store.looks(), probe.calls()), (4, calls));
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_it_is_waited_for_can_be_set() {
    let store = Elsewhere::new(Mood::After(secs(1)));
    let leaf = Leaf::new([]);
    let service = layer_of(Cache::with_store(store.clone()).store_timeout(secs(2))).layer(leaf);
    assert!(!read(&service, streamed()).await.1);
    let ((_, hit), took) = within(read(&service, streamed())).await;
    assert_eq!((hit, took), (true, secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_during_the_look_calls_nothing() {
    let store = Elsewhere::new(Mood::Hangs);
    let leaf = Leaf::new([]);
    let (probe, mut service) = (leaf.probe(), over(&store, leaf));
    let mut call = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(call.as_mut()).is_pending());
    assert_eq!(store.0.dropped.load(Ordering::Relaxed), 0);
    drop(call);
    assert_eq!((store.0.dropped.load(Ordering::Relaxed), probe.calls()), (1, 0));
    assert_eq!(service.coalescable_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn identical_calls_that_waited_for_it_share_one_upstream_call() {
    let store = Elsewhere::new(Mood::After(millis(5)));
    let leaf = Leaf::new([slow(3)]);
    let (probe, service) = (leaf.probe(), over(&store, leaf));
    let (one, other) = tokio::join!(read(&service, streamed()), read(&service, streamed()));
    assert_eq!((one.0, probe.calls()), (other.0, 1));
}

#[tokio::test(start_paused = true)]
async fn modes_are_kept() {
    let store = Elsewhere::new(Mood::After(millis(5)));
    let leaf = Leaf::new([]);
    let (probe, service) = (leaf.probe(), over(&store, leaf));
    let of = |mode| {
        let mut request = streamed();
        request.body_mut().call.set_cache_mode(mode);
        request
    };
    let missed = ask(&service, of(CacheMode::OnlyIfCached)).await.err().unwrap();
    assert!(matches!(missed.layer, Some(LayerError::CacheMiss)));
    assert_eq!(probe.calls(), 0);
    assert!(!read(&service, of(CacheMode::Refresh)).await.1);
    assert!(read(&service, of(CacheMode::OnlyIfCached)).await.1);
    assert!(!read(&service, of(CacheMode::Refresh)).await.1);
    let looks = store.looks();
    assert!(!read(&service, of(CacheMode::Bypass)).await.1);
    assert_eq!((probe.calls(), store.looks()), (3, looks));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_while_it_comes_is_not_put_there() {
    let store = Elsewhere::new(Mood::AtOnce);
    let cache = Cache::with_store(store.clone());
    let service = layer_of(cache.clone()).layer(Leaf::new([slow(3), slow(3)]));
    read(&service, streamed()).await;
    let mut running = ask(&service, super::about("another")).await.unwrap();
    running.body_mut().frame().await.unwrap().unwrap();
    cache.clear();
    assert_eq!(store.len(), 0);
    frames(running.into_body()).await;
    assert_eq!(store.len(), 0);
    read(&service, streamed()).await;
    let key = status(&ask(&service, streamed()).await.unwrap()).unwrap().key;
    assert_eq!(store.len(), 1);
    cache.forget(&key);
    assert_eq!(store.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_gives_fresh_responses_and_stale_ones_when_all_has_failed() {
    let store = Elsewhere::new(Mood::After(millis(5)));
    let cache = Cache::with_store(store.clone())
        .time_to_live(secs(10))
        .stale_if_error(secs(100));
    let layer = layer_of(cache);
    let leaf = Leaf::new([slow(3)]).on(
        "m",
        [
            slow(3),
            Step::fail(fails(FailureKind::Overloaded)),
            Step::fail(fails(FailureKind::Overloaded)),
        ],
    );
    let service = DegradeLayer::new(FromStore(layer.clone())).layer(layer.layer(leaf));
    let of_model = || {
        let mut request = streamed();
        request.body_mut().model = Some("m".into());
        request
    };
    let fresh = frames(ask(&service, of_model()).await.unwrap().into_body()).await.0;
    advance(secs(20)).await;
    let stale = ask(&service, of_model()).await.unwrap();
    let mark = stale.extensions().get::<Degraded>().unwrap();
    assert!(mark.age.is_some_and(|age| age >= secs(20)), "{mark:?}");
    assert_eq!(places(&frames(stale.into_body()).await.0), places(&fresh));
    // A store that hangs then does not keep the failure back for long.
    store.is(Mood::Hangs);
    advance(secs(20)).await;
    let (failed, took) = within(ask(&service, of_model())).await;
    assert_eq!(
        (failed.err().unwrap().kind, took),
        (FailureKind::Overloaded, millis(250))
    );
}

/// The stale responses of a store that answers later.
#[derive(Clone)]
pub(super) struct FromStore(pub(super) TestLayer);

impl Degradation<TestRequest, TestFrame> for FromStore {
    fn stale(&self, request: &Request<TestRequest>) -> Option<(Vec<TestFrame>, Duration)> {
        let kept = self.0.cache().stale(&self.0.key(request)?)?;
        Some((kept.frames(), kept.status().age))
    }

    fn stale_later(&self, request: &Request<TestRequest>) -> Option<StaleLater<TestFrame>> {
        let found = self.0.cache().stale_later(&self.0.key(request)?)?;
        Some(Box::pin(async move {
            let kept: CachedAnswer<TestFrame> = found.await?;
            Some((kept.frames(), kept.status().age))
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn the_byte_form_has_all_of_a_response_and_nothing_else_reads_as_one() {
    let store = Elsewhere::new(Mood::AtOnce);
    let step = Step::Answer(millis(1), vec![Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)]);
    let leaf = tower::ServiceBuilder::new()
        .map_response(|mut response: Response<_>| {
            response.headers_mut().insert("x-one", HeaderValue::from_static("1"));
            response.headers_mut().append("x-two", HeaderValue::from_static("a"));
            response
                .headers_mut()
                .append("x-two", HeaderValue::from_bytes(b"\xff").unwrap());
            response
                .headers_mut()
                .insert("set-cookie", HeaderValue::from_static("secret"));
            *response.status_mut() = StatusCode::CREATED;
            response
        })
        .service(Leaf::new([step]));
    let service = layer_of(Cache::with_store(store.clone())).layer(leaf);
    frames(ask(&service, streamed()).await.unwrap().into_body()).await;
    let bytes = store.0.kept.lock().unwrap().values().next().unwrap().clone();
    assert!(!bytes.windows(6).any(|text| text == b"secret"));
    advance(secs(3)).await;
    let read = |bytes: &[u8]| CachedResponse::<TestFrame>::from_bytes(bytes);
    let whole = read(&bytes).unwrap();
    assert_eq!(
        (whole.age(), whole.remaining_time_to_live(), whole.frames().len()),
        (secs(3), secs(297), 2)
    );
    assert_eq!(whole.to_bytes().unwrap(), bytes);
    let response: Response<ReplayBody<TestFrame, TestError>> = {
        let layer = layer_of(Cache::with_store(store.clone()));
        let key = layer.key(&streamed()).unwrap();
        layer.cache().stale(&key).unwrap().into_response()
    };
    assert_eq!((response.status(), response.headers().len()), (StatusCode::CREATED, 3));
    assert_eq!(response.headers().get_all("x-two").iter().count(), 2);
    // Cut anywhere but between two frames, it is none; and no change of a byte panics.
    let cut = (0..bytes.len()).filter(|length| read(&bytes[..*length]).is_some());
    assert!(cut.count() <= 2);
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 0xff;
        drop(read(&changed));
    }
    // The writer's clock may be ahead a little, and no more.
    for (ahead, is_read) in [(8_000, true), (9_000, false)] {
        let mut changed = bytes.clone();
        let came = u64::from_be_bytes(bytes[4..12].try_into().unwrap()) + ahead;
        changed[4..12].copy_from_slice(&came.to_be_bytes());
        assert_eq!(read(&changed).is_some(), is_read, "{ahead}");
    }
    advance(secs(300)).await;
    assert!(read(&bytes).is_none(), "it is over");
}
