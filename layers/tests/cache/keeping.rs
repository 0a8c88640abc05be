//! What is kept, and how it is replayed.

use std::time::Duration;

use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{advance, sleep};
use tower::{Layer, ServiceExt};
use tower_llm_layers::{
    CacheMode, FailureKind, GlobalKey, NoStore, Stage,
    cache::{Cache, CacheLayer},
    degrade::{Degradation, DegradeLayer},
};

use super::{MIB, about, frames, is_hit, layer, over, places, slow, status};
use crate::support::{
    Beat, Leaf, Step, TestError, TestFrame, TestRequest, ask, fails, millis, plain, read, secs, streamed,
};

/// Reads the answer to its end.
async fn all<S, B>(service: &S, request: Request<TestRequest>) -> Vec<TestFrame>
where
    S: tower::Service<Request<TestRequest>, Response = http::Response<B>, Error = TestError> + Clone,
    B: http_body::Body<Data = TestFrame, Error = TestError>,
{
    let (frames, error) = frames(ask(service, request).await.unwrap().into_body()).await;
    assert!(error.is_none());
    frames
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_the_first_answer_frame_for_frame_but_for_usage_and_signs_of_life() {
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Preamble),
        Beat::Frame(Stage::KeepAlive),
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(1)),
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Finish),
        Beat::Used(42),
    ])]);
    let probe = leaf.probe();
    let service = over(leaf);
    let first = all(&service, streamed()).await;
    assert_eq!(first.len(), 6);
    advance(secs(3)).await;
    let response = ask(&service, streamed()).await.unwrap();
    let known = status(&response).unwrap();
    assert!(known.hit && !known.stale);
    assert_eq!(known.age, secs(3));
    let mut body = response.into_body();
    let (again, error) = frames(&mut body).await;
    assert!(error.is_none());
    assert!(body.frame().await.is_none(), "silent after its end");
    let kept: Vec<_> = first.iter().filter(|frame| frame.stage != Stage::KeepAlive).collect();
    assert_eq!(again.len(), kept.len());
    for (again, first) in again.iter().zip(kept) {
        assert_eq!((again.stage, again.index), (first.stage, first.index));
        assert_eq!(again.used, first.used.map(|_| 0));
    }
    assert_eq!(probe.calls(), 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn plain_and_streamed_answers_are_kept_apart() {
    let service = over(Leaf::new([]));
    all(&service, streamed()).await;
    let response = ask(&service, plain()).await.unwrap();
    assert!(!is_hit(&response));
    all(&service, plain()).await;
    assert!(is_hit(&ask(&service, plain()).await.unwrap()));
    assert!(is_hit(&ask(&service, streamed()).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn trailers_are_replayed_too() {
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Finish),
        Beat::Trailers,
    ])]);
    let service = over(leaf);
    for _ in 0..2 {
        use http_body_util::BodyExt;
        let mut body = ask(&service, streamed()).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        body.frame().await.unwrap().unwrap();
        assert!(body.frame().await.unwrap().unwrap().is_trailers());
        assert!(body.frame().await.is_none());
    }
}

/// Whether the inner service is called again the second time.
async fn is_called_again(step: Step) -> bool {
    let leaf = Leaf::new([step]);
    let probe = leaf.probe();
    let service = over(leaf);
    if let Ok(response) = ask(&service, streamed()).await {
        frames(response.into_body()).await;
    }
    let _second = ask(&service, streamed()).await;
    probe.calls() == 2
}

#[tokio::test(start_paused = true)]
async fn only_whole_answers_are_kept() {
    let content = Beat::Frame(Stage::Content);
    assert!(!is_called_again(Step::ok()).await);
    assert!(!is_called_again(Step::body([Beat::Frame(Stage::Finish)])).await);
    assert!(
        is_called_again(Step::fail(fails(FailureKind::Overloaded))).await,
        "an error"
    );
    let cut = Beat::Fail(fails(FailureKind::Truncated));
    assert!(is_called_again(Step::body([content.clone(), cut.clone()])).await, "cut");
    let late = [content.clone(), Beat::Frame(Stage::Finish), cut];
    assert!(is_called_again(Step::body(late)).await, "cut after its finish");
    assert!(
        is_called_again(Step::body([content.clone(), content])).await,
        "without a finish"
    );
    assert!(is_called_again(Step::body([])).await, "empty");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_dropped_is_not_kept() {
    use http_body_util::BodyExt;
    // All but its last frame is read.
    let leaf = Leaf::new([slow(3)]);
    let probe = leaf.probe();
    let service = over(leaf);
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    for _ in 0..4 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    assert_eq!(probe.counts().bodies_dropped, 1);
    assert_eq!(service.cache().bytes(), 0);
    assert_eq!(service.coalescable_calls(), 0);
    assert!(!is_hit(&ask(&service, streamed()).await.unwrap()));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_at_the_end_of_the_stream_has_cached_it() {
    use http_body::Body;
    use http_body_util::BodyExt;
    let service = over(Leaf::new([]));
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    while !body.is_end_stream() {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    assert!(is_hit(&ask(&service, streamed()).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn heads_are_replayed_without_cookies_and_refusals_are_not_kept() {
    let seen = |status: StatusCode, unfit: bool| async move {
        let marked = Leaf::new([]).map_response(move |mut response| {
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert("x-generation", HeaderValue::from_static("gen-1"));
            headers.insert("set-cookie", HeaderValue::from_static("who=me"));
            if unfit {
                response.extensions_mut().insert(NoStore);
            }
            response
        });
        let service = layer().layer(marked);
        let first = ask(&service, streamed()).await.unwrap();
        assert!(first.headers().contains_key("set-cookie"));
        frames(first.into_body()).await;
        ask(&service, streamed()).await.unwrap()
    };
    let kept = seen(StatusCode::ACCEPTED, false).await;
    assert!(is_hit(&kept));
    assert_eq!(kept.status(), StatusCode::ACCEPTED);
    assert_eq!(kept.headers()["x-generation"], "gen-1");
    assert!(!kept.headers().contains_key("set-cookie"));
    assert!(!is_hit(&seen(StatusCode::NOT_FOUND, false).await));
    assert!(!is_hit(&seen(StatusCode::OK, true).await), "marked as unfit");
}

#[tokio::test(start_paused = true)]
async fn an_answer_serves_for_its_time_and_is_stale_for_a_while() {
    let cache = Cache::new(MIB).time_to_live(secs(60)).stale_if_error(secs(600));
    let layer = CacheLayer::new(cache, GlobalKey);
    let leaf = Leaf::new([Step::ok(), Step::fail(fails(FailureKind::Overloaded))]);
    let service = layer.clone().layer(leaf);
    let key = layer.key(&streamed()).unwrap();
    assert!(layer.cache().stale(&key).is_none());
    let first = all(&service, streamed()).await;
    advance(secs(60) - millis(1)).await;
    assert!(is_hit(&ask(&service, streamed()).await.unwrap()));
    advance(millis(1)).await;
    assert!(ask(&service, streamed()).await.is_err(), "called again");
    advance(secs(599)).await;
    let stale = layer.cache().stale(&key).unwrap();
    assert!(stale.status().stale);
    assert_eq!(stale.status().age, secs(659));
    let response = stale.into_response::<TestError>();
    assert!(status(&response).unwrap().stale);
    let (again, _) = frames(response.into_body()).await;
    assert_eq!(places(&again), places(&first));
    advance(secs(1)).await;
    assert!(layer.cache().stale(&key).is_none());
    assert_eq!(layer.cache().bytes(), 0, "what has had its time is gone");
}

#[tokio::test(start_paused = true)]
async fn a_larger_answer_than_the_largest_passes_and_is_not_kept() {
    let cache = Cache::new(MIB).largest(1000);
    let sized = |size| Step::body([Beat::Sized(size), Beat::Sized(size), Beat::Frame(Stage::Finish)]);
    let leaf = Leaf::new([sized(600), sized(200)]);
    let service = CacheLayer::new(cache, GlobalKey).layer(leaf);
    assert_eq!(places(&all(&service, about("large")).await), [0, 1, 2]);
    assert!(!is_hit(&ask(&service, about("large")).await.unwrap()));
    assert_eq!(service.cache().bytes(), 0);
    all(&service, about("small")).await;
    assert!(is_hit(&ask(&service, about("small")).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_requested_again() {
    let layer = layer();
    let service = layer.clone().layer(Leaf::new([]));
    let key = layer.key(&streamed()).unwrap();
    all(&service, streamed()).await;
    all(&service, about("else")).await;
    layer.cache().forget(&key);
    assert!(!is_hit(&ask(&service, streamed()).await.unwrap()));
    assert!(is_hit(&ask(&service, about("else")).await.unwrap()));
    layer.cache().clear();
    assert!(!is_hit(&ask(&service, about("else")).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn nothing_shows_the_prompt_or_the_answer() {
    let layer = layer();
    let service = layer.clone().layer(Leaf::new([]));
    all(&service, streamed()).await;
    let mut future = Box::pin(service.clone().oneshot(streamed()));
    let kept = layer.cache().stale(&layer.key(&streamed()).unwrap()).unwrap();
    let response = future.as_mut().await.unwrap();
    let shown = format!(
        "{layer:?} {service:?} {kept:?} {:?} {:?}",
        response.body(),
        status(&response)
    );
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_refreshed_answer_is_not_overwritten_by_one_requested_before_it() {
    let old = Step::Answer(secs(10), vec![Beat::Sized(11), Beat::Frame(Stage::Finish)]);
    let new = Step::Answer(secs(1), vec![Beat::Sized(22), Beat::Frame(Stage::Finish)]);
    let service = over(Leaf::new([old, new]));
    let slow = async { read(ask(&service, streamed()).await.unwrap().into_body()).await };
    let quick = async {
        sleep(secs(1)).await;
        let mut request = streamed();
        request.body_mut().call.set_cache_mode(CacheMode::Refresh);
        read(ask(&service, request).await.unwrap().into_body()).await
    };
    tokio::join!(slow, quick);
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first.size, 22);
}

#[tokio::test(start_paused = true)]
async fn sizes_beyond_all_bounds_are_added_up() {
    let huge = Step::body([
        Beat::Sized(usize::MAX),
        Beat::Sized(usize::MAX),
        Beat::Frame(Stage::Finish),
    ]);
    let cache = Cache::new(u64::MAX)
        .largest(usize::MAX)
        .time_to_live(Duration::MAX)
        .stale_if_error(Duration::MAX);
    let service = CacheLayer::<TestFrame, TestError, _>::new(cache, GlobalKey).layer(Leaf::new([huge]));
    assert!(
        read(ask(&service, streamed()).await.unwrap().into_body())
            .await
            .error
            .is_none()
    );
}

/// What stands in, if the cache is outside of the degradation.
#[derive(Clone)]
struct Sorry;

impl Degradation<TestRequest, TestFrame> for Sorry {
    fn canned(&self, _: &Request<TestRequest>, _: FailureKind) -> Option<Vec<TestFrame>> {
        Some(vec![TestFrame::of(Stage::Content), TestFrame::of(Stage::Finish)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_canned_reply_is_not_kept() {
    let leaf = Leaf::new([Step::fail(fails(FailureKind::Overloaded))]);
    let probe = leaf.probe();
    let service = layer().layer(DegradeLayer::new(Sorry).layer(leaf));
    for calls in 1..3 {
        read(ask(&service, streamed()).await.unwrap().into_body()).await;
        assert_eq!(probe.calls(), calls);
    }
}
