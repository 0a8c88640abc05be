//! Calls that are the same share one.

use std::pin::pin;

use http_body::Body;
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    Coalesced, GlobalKey, LayerError, Stage,
    cache::{Cache, CacheLayer},
};

use super::{MIB, frames, is_hit, is_shared, over, places, slow};
use crate::support::{Beat, Leaf, Step, ask, millis, poll_once, secs, streamed, within};

#[tokio::test(start_paused = true)]
async fn all_get_every_frame_of_one_call() {
    let leaf = Leaf::new([slow(20)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let reading = |after| {
        let service = service.clone();
        async move {
            tokio::time::sleep(millis(after)).await;
            let response = ask(&service, streamed()).await.unwrap();
            let shared = response.extensions().get::<Coalesced>().copied();
            (frames(response.into_body()).await, shared)
        }
    };
    // From the start, with the head, and in the middle of the stream.
    let (first, second, third, late) = tokio::join!(reading(0), reading(0), reading(10), reading(105));
    let whole: Vec<_> = (0..22).collect();
    for ((frames, error), _) in [&first, &second, &third, &late] {
        assert!(error.is_none());
        assert_eq!(places(frames), whole);
        assert_eq!(frames.last().unwrap().used, Some(7));
    }
    assert_eq!(first.1, None, "the one that pays");
    assert!(second.1.is_some() && third.1.is_some());
    assert_eq!(late.1.unwrap().joined_after, millis(105));
    assert_eq!(probe.calls(), 1);
    assert_eq!(service.coalescable_calls(), 0);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_late_one_gets_what_was_and_then_what_comes() {
    let service = over(Leaf::new([slow(20)]));
    let mut first = ask(&service, streamed()).await.unwrap().into_body();
    for _ in 0..10 {
        first.frame().await.unwrap().unwrap();
    }
    let mut late = ask(&service, streamed()).await.unwrap().into_body();
    for index in 0..10 {
        let frame = poll_once(pin!(late.frame()));
        let std::task::Poll::Ready(Some(Ok(frame))) = frame else {
            panic!("frame {index} is there")
        };
        assert_eq!(frame.into_data().unwrap().index, index);
    }
    assert!(poll_once(pin!(late.frame())).is_pending());
    let ((rest, _), took) = within(frames(late)).await;
    assert_eq!((rest.len(), took), (12, millis(110)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_blocks_no_other_and_loses_nothing() {
    let service = over(Leaf::new([slow(20)]));
    let (first, slow) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    let slow = async {
        let mut body = slow.unwrap().into_body();
        let mut seen = 0;
        while body.frame().await.transpose().unwrap().is_some() {
            seen += 1;
            tokio::time::sleep(secs(1)).await;
        }
        seen
    };
    let (((first, _), took), slow) = tokio::join!(within(frames(first.unwrap().into_body())), slow);
    assert_eq!((first.len(), took, slow), (22, millis(200), 22));
}

#[tokio::test(start_paused = true)]
async fn once_the_answer_is_too_large_a_laggard_falls_off_honestly() {
    let beats = (0..20).flat_map(|_| [Beat::Sized(100), Beat::Pause(millis(10))]);
    let leaf = Leaf::new([Step::body(beats.chain([Beat::Frame(Stage::Finish)]))]);
    let cache = Cache::new(MIB).largest(1000);
    let service = CacheLayer::new(cache, GlobalKey).layer(leaf);
    let asked = tokio::join!(
        ask(&service, streamed()),
        ask(&service, streamed()),
        ask(&service, streamed())
    );
    let (first, near, far) = (asked.0.unwrap(), asked.1.unwrap(), asked.2.unwrap());
    let mut near = near.into_body();
    let mut first = first.into_body();
    for _ in 0..15 {
        first.frame().await.unwrap().unwrap();
    }
    assert_eq!(service.coalescable_calls(), 0, "no other call may join");
    // Ten frames are kept, so the sixth is the first that is there.
    let (rest, error) = frames(far.into_body()).await;
    assert!(rest.is_empty());
    assert_eq!(error.unwrap().layer, Some(LayerError::Lagged { limit: 1000 }));
    let (rest, error) = frames(first).await;
    assert!(error.is_none());
    assert_eq!(rest.len(), 6);
    let error = near.frame().await.unwrap().unwrap_err();
    assert!(error.summary.contains("1000 bytes"), "{}", error.summary);
}

#[tokio::test(start_paused = true)]
async fn readers_that_keep_up_read_an_answer_of_any_size() {
    let beats = (0..50).flat_map(|_| [Beat::Sized(100), Beat::Pause(millis(10))]);
    let leaf = Leaf::new([Step::body(beats.chain([Beat::Frame(Stage::Finish)]))]);
    let service = CacheLayer::new(Cache::new(MIB).largest(1000), GlobalKey).layer(leaf);
    let (one, two) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    let (one, two) = tokio::join!(frames(one.unwrap().into_body()), frames(two.unwrap().into_body()));
    assert_eq!((one.0.len(), two.0.len()), (51, 51));
    assert!(one.1.is_none() && two.1.is_none());
    assert!(!is_hit(&ask(&service, streamed()).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_one_huge_frame_reaches_all() {
    let leaf = Leaf::new([Step::Answer(millis(5), vec![Beat::Sized(5000)])]);
    let service = CacheLayer::new(Cache::new(MIB).largest(1000), GlobalKey).layer(leaf);
    let (one, two) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    let two = two.unwrap();
    assert!(is_shared(&two));
    assert_eq!(frames(one.unwrap().into_body()).await.0.len(), 1);
    let (frames, error) = frames(two.into_body()).await;
    assert!(error.is_none());
    assert_eq!(frames.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_reach_all_readers() {
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(1)),
        Beat::Frame(Stage::KeepAlive),
        Beat::Pause(secs(1)),
        Beat::Frame(Stage::KeepAlive),
        Beat::Pause(secs(1)),
        Beat::Frame(Stage::Finish),
    ])]);
    let service = over(leaf);
    let (one, two) = tokio::join!(ask(&service, streamed()), ask(&service, streamed()));
    let (one, two) = tokio::join!(frames(one.unwrap().into_body()), frames(two.unwrap().into_body()));
    assert_eq!((places(&one.0), places(&two.0)), (vec![0, 1, 2, 3], vec![0, 1, 2, 3]));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_joins_holds_no_permit() {
    use tower::limit::ConcurrencyLimitLayer;
    let leaf = Leaf::new([slow(2)]);
    let limited = ConcurrencyLimitLayer::new(2).layer(leaf);
    let service = super::layer().layer(limited);
    let first = ask(&service, streamed()).await.unwrap();
    let joined: Vec<_> = (0..5).map(|_| service.clone().ready_oneshot()).collect();
    let mut readers = Vec::new();
    for ready in joined {
        let mut ready = ready.await.unwrap();
        readers.push(tower::Service::call(&mut ready, streamed()).await.unwrap());
    }
    assert!(readers.iter().all(is_shared));
    drop(first);
    for reader in readers {
        assert!(!reader.body().is_end_stream());
        assert_eq!(frames(Box::pin(reader.into_body())).await.0.len(), 4);
    }
}
