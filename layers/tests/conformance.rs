//! Answers that do not conform: repeated, moved on, bounded, and kept.

use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service, ServiceBuilder};
use tower_llm_layers::{
    FailureKind, LayerError, Outcome, Stage,
    attempt::AttemptLayer,
    conformance::{BufferedStream, ConformanceCheck, ConformanceLayer, Nonconformity},
    fallback::FallbackLayer,
    retry::{Exponential, RetryLayer},
    timeout::AttemptTimeoutLayer,
};

use crate::support::{
    Beat, Leaf, ScriptBody, Step, TestError, TestFrame, TestRequest, ask, chain, fails, plain, poll_once, read, secs,
    streamed,
};

/// Rejects an answer that has a frame of this many bytes.
const BAD: usize = 13;

struct NoSuchFrame;

impl ConformanceCheck<TestRequest, TestFrame> for NoSuchFrame {
    fn applies_to(&self, request: &TestRequest) -> bool {
        request.prompt != "anything"
    }

    fn check(&self, _: &TestRequest, frames: &[TestFrame]) -> Result<(), Nonconformity> {
        match frames.iter().position(|frame| frame.size == BAD) {
            Some(at) => Err(Nonconformity::new(
                format!("frame {at} does not fit"),
                "the secret answer",
            )),
            None => Ok(()),
        }
    }
}

fn bad() -> Step {
    Step::body([Beat::Held(BAD), Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)])
}

/// Fallback, retry without waits, and the layer over attempts.
fn stack<S>(
    names: [&str; 2],
    layer: ConformanceLayer<NoSuchFrame>,
    inner: S,
) -> impl Service<
    Request<TestRequest>,
    Response = Response<impl Body<Data = TestFrame, Error = TestError>>,
    Error = TestError,
> + Clone
where
    S: Service<Request<TestRequest>, Response = Response<ScriptBody>, Error = TestError> + Clone,
{
    ServiceBuilder::new()
        .layer(FallbackLayer::new(chain(names)))
        .layer(RetryLayer::new().schedule(Exponential::new(secs(0), secs(0))))
        .layer(layer)
        .layer(AttemptLayer::new().cap(3))
        .layer(AttemptTimeoutLayer::new(secs(10)))
        .service(inner)
}

fn layer() -> ConformanceLayer<NoSuchFrame> {
    ConformanceLayer::new(NoSuchFrame)
}

#[tokio::test(start_paused = true)]
async fn the_same_candidate_is_called_once_more() {
    let leaf = Leaf::new([]).on("a", [bad()]);
    let probe = leaf.probe();
    let response = ask(&stack(["a", "b"], layer(), leaf), plain()).await.unwrap();
    let log: tower_llm_layers::AttemptLog = response.extensions().get().cloned().unwrap();
    let stages = read(response.into_body()).await.stages;
    assert_eq!(stages, [Stage::Content, Stage::Finish]);
    assert_eq!(probe.models(), ["a", "a"]);
    let lines = log.attempts();
    let outcomes: Vec<_> = lines.iter().map(|line| line.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Failed(FailureKind::Nonconformant), Outcome::Answered]
    );
    let summary = lines.first().and_then(|line| line.summary.as_deref()).unwrap();
    assert!(summary.contains("frame 0 does not fit"), "{summary}");
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn then_the_next_candidate_is_called_within_the_cap() {
    let leaf = Leaf::new([]).always("a", bad());
    let probe = leaf.probe();
    ask(&stack(["a", "b"], layer(), leaf), plain()).await.unwrap();
    assert_eq!(probe.models(), ["a", "a", "b"]);

    let leaf = Leaf::new([]).always("a", bad()).always("b", bad());
    let probe = leaf.probe();
    let error = ask(&stack(["a", "b"], layer(), leaf), plain())
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(probe.models(), ["a", "a", "b"], "the cap is three");
    assert_eq!(error.kind, FailureKind::Nonconformant);
    assert_eq!(
        error.layer.as_ref().and_then(LayerError::answer_text),
        Some("the secret answer")
    );
    assert!(!format!("{error:?}").contains("the secret answer"), "{error:?}");
    assert!(!error.summary.contains("secret"), "{}", error.summary);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_stream_passes_unless_streams_are_checked_or_not_shown() {
    let marked = || {
        let mut request = streamed();
        request.extensions_mut().insert(BufferedStream);
        request
    };
    for (layer, request, calls) in [
        (layer(), streamed(), 1),
        (layer().streams(true), streamed(), 2),
        (layer(), marked(), 2),
    ] {
        let leaf = Leaf::new([]).on("a", [bad()]);
        let probe = leaf.probe();
        let response = ask(&stack(["a", "b"], layer, leaf), request).await.unwrap();
        assert!(read(response.into_body()).await.error.is_none());
        assert_eq!(probe.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_nothing_passes() {
    let leaf = Leaf::new([]).on("a", [bad()]);
    let probe = leaf.probe();
    let mut request = plain();
    request.body_mut().prompt = "anything";
    let response = ask(&stack(["a", "b"], layer(), leaf), request).await.unwrap();
    assert_eq!(read(response.into_body()).await.stages.len(), 3);
    assert_eq!(probe.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_before_anything_was_shown_is_repeated() {
    let cut = Step::body([Beat::Frame(Stage::Content), Beat::Fail(fails(FailureKind::Truncated))]);
    for (streams, calls) in [(true, 2), (false, 1)] {
        let leaf = Leaf::new([]).on("a", [cut.clone()]);
        let probe = leaf.probe();
        let response = ask(&stack(["a", "b"], layer().streams(streams), leaf), streamed())
            .await
            .unwrap();
        let reading = read(response.into_body()).await;
        assert_eq!((probe.calls(), reading.error.is_none()), (calls, streams));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_passes_whole() {
    let half = 9 * 1024 * 1024;
    let beats = [BAD, half, half, half].map(Beat::Held);
    let leaf = Leaf::new([]).on("a", [Step::body(beats.into_iter().chain([Beat::Frame(Stage::Finish)]))]);
    let probe = leaf.probe();
    let response = ask(&stack(["a", "b"], layer(), leaf), plain()).await.unwrap();
    assert_eq!(read(response.into_body()).await.stages.len(), 5);
    assert_eq!(probe.calls(), 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_drops_the_answer_that_is_read() {
    let leaf = Leaf::new([Step::body([Beat::Frame(Stage::Content), Beat::Stall])]);
    let probe = leaf.probe();
    let mut service = layer().layer(leaf);
    std::future::poll_fn(|cx| Service::<Request<TestRequest>>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    let mut future = Box::pin(service.call(plain()));
    for _ in 0..3 {
        assert!(poll_once(future.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(probe.counts().bodies_open, 1);
    drop(future);
    probe.assert_quiet();
    assert_eq!(probe.counts().bodies_dropped, 1);
}
