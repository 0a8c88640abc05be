//! A store of one's own: how long a call with a deadline waits for it, and which of two responses it keeps.

use std::time::Duration;

use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    CacheMode, Degraded, FailureKind, Phase, cache::Cache, deadline::DeadlineLayer, degrade::DegradeLayer,
};

use super::{
    frames,
    given::{Elsewhere, FromStore, Mood, layer_of, over, read},
    is_hit, slow,
};
use crate::support::{Leaf, Step, ask, fails, millis, poll_once, secs, streamed, within};

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_takes_a_quarter_of_the_time_and_rests_after_its_timeout() {
    let store = Elsewhere::new(Mood::Hangs);
    let service = DeadlineLayer::new(millis(100)).layer(over(&store, Leaf::new([])));
    for look in 1..=10 {
        let (result, took) = within(ask(&service, streamed())).await;
        assert!(result.is_ok());
        assert_eq!((took, store.looks()), (millis(25), look));
    }
    let (result, took) = within(ask(&service, streamed())).await;
    assert!(result.is_ok());
    assert_eq!((took, store.looks()), (Duration::ZERO, 10));
}

#[tokio::test(start_paused = true)]
async fn calls_with_little_time_do_not_decide_for_the_others() {
    let store = Elsewhere::new(Mood::After(millis(50)));
    let service = over(&store, Leaf::new([]));
    let hurried = DeadlineLayer::new(millis(100)).layer(service.clone());
    assert!(!read(&service, streamed()).await.1);
    for _ in 0..20 {
        assert!(!is_hit(&ask(&hurried, streamed()).await.unwrap()));
        assert!(read(&service, streamed()).await.1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_dropped_is_a_failure_only_if_it_waited_as_long_as_it_may() {
    for (waited, looks) in [(millis(249), 2), (millis(250), 1)] {
        let store = Elsewhere::new(Mood::Hangs);
        let mut service = over(&store, Leaf::new([]));
        let mut call = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(call.as_mut()).is_pending());
        advance(waited).await;
        drop(call);
        read(&service, streamed()).await;
        assert_eq!(store.looks(), looks, "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_at_once_ends_its_rest() {
    let store = Elsewhere::new(Mood::Fails);
    let service = over(&store, Leaf::new([]));
    read(&service, streamed()).await;
    store.is(Mood::AtOnce);
    advance(secs(1)).await;
    assert!(read(&service, streamed()).await.1 && read(&service, streamed()).await.1);
    assert_eq!(store.looks(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stale_response_is_looked_for_once_and_not_waited_for_beyond_the_deadline() {
    let late = || Step::Answer(secs(10), Vec::new());
    let overloaded = || Step::fail(fails(FailureKind::Overloaded));
    let passed = FailureKind::Timeout(Phase::Deadline);
    for (mood, step, found) in [
        (Mood::Hangs, late(), Err(passed)),
        (Mood::Hangs, overloaded(), Err(FailureKind::Overloaded)),
        (Mood::AtOnce, late(), Ok(passed)),
    ] {
        let store = Elsewhere::new(Mood::AtOnce);
        let cache = Cache::with_store(store.clone())
            .time_to_live(secs(10))
            .stale_if_error(secs(100));
        let layer = layer_of(cache);
        let service = layer.layer(Leaf::new([slow(1), step]));
        read(&service, streamed()).await;
        advance(secs(20)).await;
        store.is(mood);
        let service = DegradeLayer::new(FromStore(layer)).layer(DeadlineLayer::new(millis(100)).layer(service));
        let (result, took) = within(ask(&service, streamed())).await;
        let reason = |mark: &Degraded| mark.reason.unwrap();
        let result = result.map(|response| response.extensions().get().map(reason).unwrap());
        assert_eq!(result.map_err(|error| error.kind), found);
        assert_eq!((took, store.looks()), (millis(100), 3));
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_response_replaces_none_that_was_requested_later() {
    let store = Elsewhere::new(Mood::AtOnce);
    let service = over(&store, Leaf::new([slow(9), slow(2)]));
    let older = ask(&service, streamed()).await.unwrap();
    let mut refresh = streamed();
    refresh.body_mut().call.set_cache_mode(CacheMode::Refresh);
    let (newer, hit) = read(&service, refresh).await;
    assert!(!hit);
    assert_ne!(frames(older.into_body()).await.0.len(), newer.len());
    assert_eq!(read(&service, streamed()).await, (newer, true));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_while_it_is_looked_for_is_no_hit() {
    let store = Elsewhere::new(Mood::After(millis(50)));
    let cache = Cache::with_store(store.clone());
    let service = layer_of(cache.clone()).layer(Leaf::new([]));
    read(&service, streamed()).await;
    let forgets = async {
        sleep(millis(10)).await;
        cache.clear();
    };
    let ((_, hit), ()) = tokio::join!(read(&service, streamed()), forgets);
    assert!(!hit);
}
