//! The key: last of all, chosen for each attempt, never printed.

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
    FailureKind, FailureScope, LayerError,
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
        .default_source(key("sk-rest"));
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
async fn a_pool_goes_round_and_skips_rejected_keys() {
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
    let rejected = |state: &KeyState| matches!(state, KeyState::RejectedUntil(_));
    assert!(pool.states().iter().all(rejected), "{pool:?}");
    assert!(!format!("{pool:?} {:?}", service.keys()).contains("sk-"));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_key_rests_as_long_as_the_hint() {
    let throttled = fails(FailureKind::RateLimited).scope(FailureScope::Upstream);
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
    let gone = fails(FailureKind::QuotaExhausted).scope(FailureScope::Upstream);
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
    // The hint of a year is looked at again after an hour.
    tokio::time::advance(secs(3601)).await;
    for _ in 0..2 {
        ask(&service, at("a")).await.map(drop).unwrap();
    }
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
async fn a_key_source_is_called_for_each_attempt() {
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

fn rejected() -> Step {
    Step::fail(fails(FailureKind::Auth))
}

/// Which keys were sent, by their last digit.
fn digits(probe: &crate::support::Probe) -> String {
    keys_seen(probe).iter().filter_map(|key| key.chars().last()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rejected_key_is_probed_once_after_a_rest_that_doubles() {
    let leaf = Leaf::new([]);
    let steps: Vec<_> = std::iter::repeat_n(rejected(), 8).collect();
    let (probe, pool) = (leaf.probe(), pool(["sk-1"]));
    let mut rests = Vec::new();
    let service = AuthLayer::new(pool.clone()).layer(Leaf::new(steps));
    for _ in 0..8 {
        ask(&service, at("a")).await.map(drop).unwrap_err();
        let [KeyState::RejectedUntil(until)] = pool.states()[..] else {
            panic!("{pool:?}")
        };
        rests.push(until.duration_since(tokio::time::Instant::now()).as_secs());
        tokio::time::advance(until.duration_since(tokio::time::Instant::now())).await;
    }
    assert_eq!(rests, [30, 60, 120, 240, 480, 900, 900, 900]);
    // Accepted once, it is as good as new.
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    ask(&service, at("a")).await.map(drop).unwrap();
    assert_eq!((pool.states(), probe.calls()), (vec![KeyState::Usable], 1));
}

#[tokio::test(start_paused = true)]
async fn if_all_are_rejected_the_least_recently_rejected_is_tried() {
    let leaf = Leaf::new(std::iter::repeat_n(rejected(), 7));
    let (probe, pool) = (leaf.probe(), pool(["sk-1", "sk-2", "sk-3"]));
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    for _ in 0..7 {
        let error = ask(&service, at("a")).await.map(drop).unwrap_err();
        assert_eq!(error.kind, FailureKind::Auth);
        tokio::time::advance(secs(1)).await;
    }
    assert_eq!(digits(&probe), "1231231");
    ask(&service, at("a")).await.map(drop).unwrap();
    assert_eq!(pool.states()[1], KeyState::Usable, "it was accepted, so it serves");
    ask(&service, at("a")).await.map(drop).unwrap();
    assert_eq!(digits(&probe), "123123122");
}

#[tokio::test(start_paused = true)]
async fn one_call_at_a_time_probes_a_rejected_key() {
    let leaf = Leaf::new([rejected(), Step::ok(), Step::Hang]);
    let (probe, pool) = (leaf.probe(), pool(["sk-1", "sk-2"]));
    let mut service = AuthLayer::new(pool.clone()).layer(leaf);
    ask(&service, at("a")).await.map(drop).unwrap_err();
    ask(&service, at("a")).await.map(drop).unwrap();
    tokio::time::advance(secs(30)).await;
    let mut held = Box::pin(service.ready().await.unwrap().call(at("a")));
    assert!(poll_once(held.as_mut()).is_pending());
    for _ in 0..3 {
        ask(&service, at("a")).await.map(drop).unwrap();
    }
    assert_eq!(
        digits(&probe),
        "121222",
        "the probe hangs, and the others take the other key"
    );
    // Dropped, it leaves the next call to be the probe.
    drop(held);
    ask(&service, at("a")).await.map(drop).unwrap();
    assert!(digits(&probe).ends_with('1'));
    assert_eq!(pool.states(), [KeyState::Usable; 2]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_added_replaced_and_revived_while_calls_run() {
    let leaf = Leaf::new([rejected(), rejected()]);
    let (probe, pool) = (leaf.probe(), pool(["sk-1"]));
    let service = AuthLayer::new(pool.clone()).layer(leaf);
    ask(&service, at("a")).await.map(drop).unwrap_err();
    assert!(pool.revive(0) && !pool.revive(1));
    assert_eq!(pool.states(), [KeyState::Usable]);
    ask(&service, at("a")).await.map(drop).unwrap_err();
    pool.add(key("sk-2"));
    assert!(matches!(
        pool.states()[..],
        [KeyState::RejectedUntil(_), KeyState::Usable]
    ));
    pool.add(key("sk-1"));
    assert_eq!(pool.states(), [KeyState::Usable; 2], "one that is there is revived");
    assert!(pool.replace(0, key("sk-3")) && !pool.replace(2, key("sk-4")));
    for _ in 0..4 {
        ask(&service, at("a")).await.map(drop).unwrap();
    }
    let seen = digits(&probe);
    assert!(seen.ends_with("2323") || seen.ends_with("3232"), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn the_verdict_on_an_old_key_does_not_count_against_its_successor() {
    let late = Step::Fail(secs(5), fails(FailureKind::Auth));
    let pool = pool(["sk-1"]);
    let service = AuthLayer::new(pool.clone()).layer(Leaf::new([late]));
    let call = tokio::spawn({
        let service = service.clone();
        async move { ask(&service, at("a")).await.map(drop) }
    });
    tokio::time::sleep(secs(1)).await;
    assert!(pool.replace(0, key("sk-2")));
    call.await.unwrap().unwrap_err();
    assert_eq!(pool.states(), [KeyState::Usable]);
}

/// Calls that were under way together are one rejection, not ten.
#[tokio::test(start_paused = true)]
async fn rejections_at_once_count_once() {
    let late = || Step::Fail(secs(1), fails(FailureKind::Auth));
    let pool = pool(["sk-1"]);
    let service = AuthLayer::new(pool.clone()).layer(Leaf::new(std::iter::repeat_with(late).take(10)));
    let calls = (0..10).map(|_| ask(&service, at("a")));
    crate::support::join_all(calls).await;
    let [KeyState::RejectedUntil(until)] = pool.states()[..] else {
        panic!("{pool:?}")
    };
    assert_eq!(until.duration_since(tokio::time::Instant::now()), secs(30));
}
