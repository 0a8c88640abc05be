//! The key: last of all, fresh for each attempt, seen by nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::header::AUTHORIZATION;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, LayerError, Scope,
    auth::{ApiKey, AuthLayer, KeyError, KeyFuture, KeyPool, KeyProvider, KeySource, KeyState, Keys},
};

use crate::support::{Leaf, Step, TestRequest, ask, candidate, fails, poll_once, secs, streamed, within};

fn key(text: &str) -> ApiKey {
    ApiKey::new(text).unwrap()
}

fn pool<const N: usize>(keys: [&str; N]) -> KeyPool {
    KeyPool::new(keys.map(key)).unwrap()
}

fn at(upstream: &str) -> http::Request<TestRequest> {
    let mut request = streamed();
    let to = candidate(&format!("{upstream}/model"));
    request.body_mut().call.set_candidate(to);
    request
}

fn keys_seen(leaf: &crate::support::Probe) -> Vec<String> {
    let seen = leaf.seen().into_iter();
    seen.map(|seen| seen.authorization.unwrap_or_default()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_static_key_replaces_the_callers_own_and_is_sensitive() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = AuthLayer::new(key("sk-ours")).layer(leaf);
    let mut request = streamed();
    let theirs = "Bearer sk-theirs".parse().unwrap();
    request.headers_mut().insert(AUTHORIZATION, theirs);
    ask(&service, request).await.unwrap();
    let seen = &probe.seen()[0];
    assert_eq!(seen.authorization.as_deref(), Some("Bearer sk-ours"));
    assert!(seen.sensitive);
    assert!(!format!("{:?}", service.keys()).contains("sk-"));
}

#[tokio::test(start_paused = true)]
async fn each_upstream_has_its_own_and_one_may_have_none() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let keys = Keys::new()
        .upstream("a", key("sk-old"))
        .upstream("a", key("sk-a"))
        .upstream("home", KeySource::None)
        .otherwise(key("sk-rest"));
    let service = AuthLayer::new(keys).layer(leaf);
    for upstream in ["a", "home", "b"] {
        let mut request = at(upstream);
        let theirs = "Bearer sk-theirs".parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, theirs);
        ask(&service, request).await.unwrap();
    }
    assert_eq!(keys_seen(&probe), ["Bearer sk-a", "", "Bearer sk-rest"]);
    assert!(format!("{:?}", service.keys()).contains("redacted"));
}

#[tokio::test(start_paused = true)]
async fn no_key_is_a_typed_error_and_nothing_is_sent() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = AuthLayer::new(Keys::new().upstream("a", key("sk-a"))).layer(leaf);
    let error = ask(&service, at("b")).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Auth);
    assert!(error.summary.starts_with("no key for b: set one"), "{}", error.summary);
    assert_eq!(probe.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pool_goes_round_and_leaves_out_the_dead() {
    let dead = Step::fail(fails(FailureKind::Auth));
    let leaf = Leaf::new([Step::ok(), dead.clone(), Step::ok(), Step::ok(), dead.clone(), dead]);
    let probe = leaf.probe();
    let pool = pool(["sk-1", "sk-2", "sk-3"]);
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    let mut other = Vec::new();
    for _ in 0..6 {
        other.extend(
            ask(&service, at("a"))
                .await
                .err()
                .map(|error| error.marks.has_other_key()),
        );
    }
    let bearers = ["1", "2", "3", "1", "3", "1"].map(|digit| format!("Bearer sk-{digit}"));
    assert_eq!(keys_seen(&probe), bearers);
    assert_eq!(other, [true, true, false]);
    assert_eq!(pool.states(), [KeyState::Dead; 3]);
    let error = ask(&service, at("a")).await.unwrap_err();
    assert_eq!((error.kind, error.hint), (FailureKind::Auth, None));
    assert_eq!(probe.calls(), 6);
    assert!(!format!("{pool:?} {:?}", service.keys()).contains("sk-"));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_key_rests_as_long_as_the_hint() {
    let throttled = fails(FailureKind::RateLimited).scope(Scope::Upstream);
    let leaf = Leaf::new([Step::fail(throttled.clone().hint(secs(40))), Step::fail(throttled)]);
    let pool = pool(["sk-1", "sk-2"]);
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    assert!(ask(&service, at("a")).await.unwrap_err().marks.has_other_key());
    assert!(!ask(&service, at("a")).await.unwrap_err().marks.has_other_key());
    // Without a hint it rests ten seconds.
    let error = ask(&service, at("a")).await.unwrap_err();
    assert_eq!((error.kind, error.hint), (FailureKind::RateLimited, Some(secs(10))));
    assert!(matches!(error.layer, Some(LayerError::NoKey { upstream, .. }) if upstream == "a"));
    tokio::time::advance(secs(11)).await;
    ask(&service, at("a")).await.unwrap();
    assert!(matches!(
        pool.states()[..],
        [KeyState::RestingUntil(_), KeyState::Usable]
    ));
    tokio::time::advance(secs(30)).await;
    assert_eq!(pool.states(), [KeyState::Usable; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_rest_is_bounded_and_a_failure_of_the_model_is_none_of_the_key() {
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let gone = fails(FailureKind::QuotaExhausted).scope(Scope::Upstream);
    let leaf = Leaf::new([
        Step::fail(gone.hint(year)),
        Step::fail(fails(FailureKind::RateLimited)),
        Step::fail(fails(FailureKind::Overloaded)),
    ]);
    let pool = pool(["sk-1", "sk-2"]);
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    for _ in 0..3 {
        ask(&service, at("a")).await.unwrap_err();
    }
    assert!(matches!(
        pool.states()[..],
        [KeyState::RestingUntil(_), KeyState::Usable]
    ));
    tokio::time::advance(secs(3601)).await;
    assert_eq!(pool.states(), [KeyState::Usable; 2]);
    assert_eq!(KeyPool::new([]).unwrap_err(), KeyError::EmptyPool);
}

/// A provider that gives another key each time, after a second.
fn rotating(asked: Arc<AtomicUsize>) -> Arc<dyn KeyProvider> {
    Arc::new(move |upstream: &str| -> KeyFuture {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let upstream = upstream.to_owned();
        Box::pin(async move {
            tokio::time::sleep(secs(1)).await;
            if upstream == "locked" {
                return Err("the vault is sealed".to_owned());
            }
            Ok(key(&format!("sk-{upstream}-{number}")))
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_for_each_attempt() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let asked = Arc::new(AtomicUsize::new(0));
    let service = AuthLayer::new(rotating(Arc::clone(&asked))).layer(leaf);
    for _ in 0..2 {
        assert_eq!(within(ask(&service, at("a"))).await.1, secs(1));
    }
    assert_eq!(keys_seen(&probe), ["Bearer sk-a-0", "Bearer sk-a-1"]);
    let error = ask(&service, at("locked")).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Auth);
    assert_eq!(error.summary, "no key for locked: the vault is sealed");
    assert_eq!((probe.calls(), asked.load(Ordering::Relaxed)), (2, 3));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn the_ready_service_waits_for_the_key() {
    let leaf = Leaf::new([]).ready_after(secs(1));
    let probe = leaf.probe();
    let mut service = AuthLayer::new(rotating(Arc::default())).layer(leaf);
    for _ in 0..2 {
        let call = service.ready().await.unwrap().call(at("a"));
        call.await.unwrap();
    }
    assert_eq!(probe.times(), [2000, 4000]);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn dropped_while_fetching_or_calling_leaves_nothing() {
    let leaf = Leaf::new([Step::Hang]);
    let probe = leaf.probe();
    let held = Arc::new(());
    let kept = Arc::clone(&held);
    let provider: Arc<dyn KeyProvider> = Arc::new(move |_: &str| -> KeyFuture {
        let kept = Arc::clone(&kept);
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(kept);
            Err(String::new())
        })
    });
    let mut service = AuthLayer::new(provider).layer(leaf.clone());
    let mut future = Box::pin(service.ready().await.unwrap().call(at("a")));
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(Arc::strong_count(&held), 3);
    drop(future);
    assert_eq!((Arc::strong_count(&held), probe.calls()), (2, 0));
    let pool = pool(["sk-1"]);
    let mut service = AuthLayer::new(pool.clone()).layer(leaf);
    let mut future = Box::pin(service.ready().await.unwrap().call(at("a")));
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(!format!("{future:?}").contains("sk-"));
    drop(future);
    assert_eq!(pool.states(), [KeyState::Usable]);
    assert_eq!(probe.counts().futures_dropped, 1);
    probe.assert_quiet();
}
