//! The options of one request and of the layer.

use http::{HeaderValue, Request, Response, header::CACHE_CONTROL};
use tower::Layer;
use tower_llm_layers::{
    CacheMode, FailureKind, GlobalKey, LayerError, Priority, Stage,
    cache::{Cache, CacheLayer},
};

use super::{TestService, frames, is_hit, is_shared, layer, over, slow, status};
use crate::support::{Beat, Leaf, Step, TestRequest, ask, millis, streamed};

fn in_mode(mode: CacheMode) -> Request<TestRequest> {
    let mut request = streamed();
    request.body_mut().call.set_cache_mode(mode);
    request
}

async fn warm(service: &TestService) {
    frames(ask(service, streamed()).await.unwrap().into_body()).await;
    assert!(is_hit(&ask(service, streamed()).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_calls_again_and_caches_what_comes() {
    let leaf = Leaf::new([slow(1), slow(5)]);
    let probe = leaf.probe();
    let service = over(leaf);
    warm(&service).await;
    let response = ask(&service, in_mode(CacheMode::Refresh)).await.unwrap();
    assert!(!is_hit(&response));
    assert_eq!(frames(response.into_body()).await.0.len(), 7);
    let (kept, _) = frames(ask(&service, streamed()).await.unwrap().into_body()).await;
    assert_eq!((kept.len(), probe.calls()), (7, 2));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_joins_no_call_and_may_be_joined() {
    // The first one has no finish, so that it is not kept.
    let content = [
        Beat::Frame(Stage::Content),
        Beat::Pause(millis(10)),
        Beat::Frame(Stage::Content),
    ];
    let leaf = Leaf::new([Step::body(content), slow(5)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let first = ask(&service, streamed()).await.unwrap();
    let refresh = ask(&service, in_mode(CacheMode::Refresh)).await.unwrap();
    assert!(!is_shared(&refresh));
    let joined = ask(&service, streamed()).await.unwrap();
    assert!(is_shared(&joined));
    assert_eq!(frames(first.into_body()).await.0.len(), 2);
    // The end of the first does not end the sharing of the second.
    let late = ask(&service, streamed()).await.unwrap();
    assert!(is_shared(&late));
    let (joined, refresh, late) = tokio::join!(
        frames(joined.into_body()),
        frames(refresh.into_body()),
        frames(late.into_body())
    );
    assert_eq!((joined.0.len(), refresh.0.len(), late.0.len()), (7, 7, 7));
    assert_eq!((probe.calls(), service.coalescable_calls()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bypass_neither_reads_nor_keeps_nor_shares() {
    let service = over(Leaf::new([]));
    for _ in 0..2 {
        let response = ask(&service, in_mode(CacheMode::Bypass)).await.unwrap();
        assert_eq!(status(&response), None);
        assert_eq!(service.coalescable_calls(), 0);
        frames(response.into_body()).await;
        assert_eq!(service.cache().bytes(), 0);
    }
    warm(&service).await;
    assert!(!is_hit(&ask(&service, in_mode(CacheMode::Bypass)).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_never_calls_the_upstream() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = over(leaf);
    let error = ask(&service, in_mode(CacheMode::OnlyIfCached)).await.err().unwrap();
    assert_eq!(error.layer, Some(LayerError::CacheMiss));
    assert_eq!((error.kind, probe.calls()), (FailureKind::NoEndpoint, 0));
    warm(&service).await;
    assert!(is_hit(&ask(&service, in_mode(CacheMode::OnlyIfCached)).await.unwrap()));
    assert_eq!(probe.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_not_to_be_stored_is_not() {
    let mut forbids = streamed();
    let value = HeaderValue::from_static("max-age=0, No-Store");
    forbids.headers_mut().insert(CACHE_CONTROL, value);
    // Whatever else it says.
    forbids.body_mut().call.set_cache_mode(CacheMode::Refresh);
    let mut unkept = streamed();
    unkept.body_mut().unkept = true;
    for request in [forbids, unkept] {
        let service = over(Leaf::new([]));
        let response = ask(&service, request.clone()).await.unwrap();
        assert_eq!(service.coalescable_calls(), 0);
        frames(response.into_body()).await;
        assert_eq!(service.cache().bytes(), 0);
        warm(&service).await;
        assert!(!is_hit(&ask(&service, request).await.unwrap()));
    }
    let mut harmless = streamed();
    harmless
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-transform"));
    let service = over(Leaf::new([]));
    warm(&service).await;
    assert!(is_hit(&ask(&service, harmless).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn only_temperature_zero_if_so_set() {
    for (temperature, strict, kept) in [
        (None, false, true),
        (Some(0.7), false, true),
        (None, true, false),
        (Some(0.7), true, false),
        (Some(0.0), true, true),
        (Some(-0.0), true, true),
    ] {
        let mut request = streamed();
        request.body_mut().temperature = temperature;
        let layer = layer().only_temperature_zero(strict);
        let service = layer.clone().layer(Leaf::new([]));
        frames(ask(&service, request.clone()).await.unwrap().into_body()).await;
        assert_eq!(layer.key(&request).is_some(), kept);
        let again = ask(&service, request).await.unwrap();
        assert_eq!(is_hit(&again), kept, "{temperature:?}, {strict}");
        assert_eq!(service.coalescable_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn without_single_flight_each_call_is_its_own() {
    for (on, calls) in [(true, 1), (false, 2)] {
        let leaf = Leaf::new([slow(2), slow(2)]);
        let probe = leaf.probe();
        let service = layer().single_flight(on).layer(leaf);
        let (one, two) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((is_shared(&one), is_shared(&two)), (false, on));
        tokio::join!(frames(one.into_body()), frames(two.into_body()));
        assert_eq!(probe.calls(), calls);
        assert!(is_hit(&ask(&service, streamed()).await.unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn with_no_room_single_flight_is_left() {
    let leaf = Leaf::new([slow(2), Step::ok()]);
    let probe = leaf.probe();
    let service = CacheLayer::new(Cache::new(0), GlobalKey).layer(leaf);
    let (one, two) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    tokio::join!(frames(one.unwrap().into_body()), frames(two.unwrap().into_body()));
    assert_eq!(probe.calls(), 1);
    assert!(!is_hit(&ask(&service, streamed()).await.unwrap()));
}

/// Else an interactive caller would wait as long as the batch does.
#[tokio::test(start_paused = true)]
async fn an_interactive_call_does_not_join_a_batch_before_its_answer_has_begun() {
    use Priority::{Batch, Interactive};
    let of = |priority| {
        let mut request = streamed();
        request.body_mut().call.set_priority(priority);
        request
    };
    for (first, second, begun, shares) in [
        (Batch, Interactive, false, false),
        (Batch, Interactive, true, true),
        (Batch, Batch, false, true),
        (Interactive, Interactive, false, true),
        (Interactive, Batch, false, true),
    ] {
        let leaf = Leaf::new([slow(3), slow(3)]);
        let probe = leaf.probe();
        let service = over(leaf);
        let second = async {
            tokio::time::sleep(millis(if begun { 15 } else { 5 })).await;
            ask(&service, of(second)).await.unwrap()
        };
        let third = async {
            tokio::time::sleep(millis(17)).await;
            ask(&service, of(Interactive)).await.unwrap()
        };
        let whole = async |response: Response<_>| frames(response.into_body()).await.0.len();
        let (first, second, third) = tokio::join!(ask(&service, of(first)), second, third);
        assert_eq!(is_shared(&second), shares);
        assert!(!is_shared(first.as_ref().unwrap()));
        let read = tokio::join!(whole(first.unwrap()), whole(second), whole(third));
        assert_eq!(read, (5, 5, 5));
        assert_eq!(
            (probe.calls(), service.coalescable_calls()),
            (1 + usize::from(!shares), 0)
        );
    }
}
