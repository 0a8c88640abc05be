//! Each attempt is numbered, capped and written down, however it ends.

use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    AttemptLog, FailureKind, LayerError, LlmRequest, Outcome, Stage,
    attempt::{AttemptLayer, DEFAULT_CAP},
};

use crate::support::{Beat, Leaf, Step, ask, candidate, fails, millis, plain, poll_once, read, secs, streamed, text};

fn outcomes(log: &AttemptLog) -> Vec<Outcome> {
    log.attempts().iter().map(|line| line.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_is_one_line() {
    let service = AttemptLayer::new().layer(Leaf::new([Step::Answer(
        millis(400),
        vec![Beat::Frame(Stage::Content), Beat::Pause(secs(2))],
    )]));
    let mut request = streamed();
    request.body_mut().set_model("gpt");
    let response = ask(&service, request).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    assert_eq!(outcomes(&log), [Outcome::Answering]);
    assert_eq!(log.attempts()[0].first_token, Some(millis(400)));
    read(response.into_body()).await;
    let line = &log.attempts()[0];
    assert_eq!(
        (line.number, line.outcome, line.duration),
        (1, Outcome::Answered, Some(millis(2400)))
    );
    assert_eq!(log.answered_by().unwrap().model(), "gpt");
    assert_eq!(log.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_on_the_log_of_the_error() {
    let error = fails(FailureKind::Overloaded)
        .says(503, "overloaded (Anthropic)")
        .hint(secs(3));
    let service = AttemptLayer::new().layer(Leaf::new([Step::Fail(millis(400), error)]));
    let error = ask(&service, streamed()).await.unwrap_err();
    let line = &error.log().attempts()[0];
    assert_eq!(line.outcome, Outcome::Failed(FailureKind::Overloaded));
    assert_eq!((line.status, line.retry_after), (Some(503), Some(secs(3))));
    assert_eq!(line.summary.as_deref(), Some("overloaded (Anthropic)"));
    assert_eq!(line.duration, Some(millis(400)));
    assert!(error.log().answered_by().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_break_after_the_start_is_a_failure_of_the_attempt() {
    let broken = Beat::Fail(fails(FailureKind::Truncated));
    let leaf = Leaf::new([Step::body([Beat::Frame(Stage::Content), broken])]);
    let response = ask(&AttemptLayer::new().layer(leaf), streamed()).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    assert!(read(response.into_body()).await.error.is_some());
    assert_eq!(outcomes(&log), [Outcome::Failed(FailureKind::Truncated)]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_closes_the_line() {
    let leaf = Leaf::new([Step::Hang]);
    let probe = leaf.probe();
    let mut service = AttemptLayer::new().layer(leaf);
    let mut request = streamed();
    // Another layer outside has opened the call: here, an attempt that was refused.
    let log = opened(&mut request).await;
    let mut future = Box::pin(service.ready().await.unwrap().call(request));
    assert!(poll_once(future.as_mut()).is_pending());
    assert_eq!(outcomes(&log), [Outcome::Waiting]);
    drop(future);
    assert_eq!(outcomes(&log), [Outcome::Dropped]);
    assert_eq!(probe.counts().futures_dropped, 1);
    probe.assert_quiet();
}

/// Opens the call of this request without sending anything that stays on its log.
async fn opened(request: &mut http::Request<crate::support::TestRequest>) -> AttemptLog {
    use std::sync::{Arc, Mutex};
    use tower_llm_layers::deadline::DeadlineLayer;
    let kept = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&kept);
    let keeper = tower::service_fn(move |request: http::Request<_>| {
        *keep.lock().unwrap() = Some(request);
        std::future::ready(Err::<http::Response<crate::support::ScriptBody>, _>(fails(
            FailureKind::Internal,
        )))
    });
    let opener = DeadlineLayer::from_caller().layer(keeper);
    let error = opener.oneshot(request.clone()).await.unwrap_err();
    *request = kept.lock().unwrap().take().unwrap();
    error.log().clone()
}

#[tokio::test(start_paused = true)]
async fn dropping_the_body_closes_the_line() {
    let leaf = Leaf::new([Step::body([Beat::Frame(Stage::Content), Beat::Stall])]);
    let probe = leaf.probe();
    let response = ask(&AttemptLayer::new().layer(leaf), streamed()).await.unwrap();
    let log = response.extensions().get::<AttemptLog>().unwrap().clone();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(outcomes(&log), [Outcome::Dropped]);
    assert_eq!(probe.counts().bodies_dropped, 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn the_cap_counts_over_all_copies_of_a_call() {
    assert_eq!(AttemptLayer::default().layer(()).cap(), DEFAULT_CAP);
    assert_eq!(AttemptLayer::new().cap(0).layer(()).cap(), 1);
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = AttemptLayer::new().cap(2).layer(leaf);
    let mut request = plain();
    opened(&mut request).await;
    for _ in 0..2 {
        ask(&service, request.clone()).await.unwrap();
    }
    assert_eq!(request.body().call.attempts_left(), 0);
    let error = ask(&service, request).await.unwrap_err();
    assert_eq!(error.layer, Some(LayerError::AttemptsSpent { cap: 2 }));
    assert_eq!(probe.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_call_may_lower_its_own_cap_at_any_time() {
    let leaf = Leaf::new([]);
    let service = AttemptLayer::new().cap(5).layer(leaf);
    let mut early = plain();
    early.body_mut().call.limit_attempts(1);
    early.body_mut().call.limit_attempts(3);
    opened(&mut early).await;
    assert_eq!(early.body().call.attempts_left(), 1);
    let mut late = plain();
    opened(&mut late).await;
    late.body_mut().call.limit_attempts(1);
    for request in [early, late] {
        ask(&service, request.clone()).await.unwrap();
        let error = ask(&service, request).await.unwrap_err();
        assert_eq!(error.layer, Some(LayerError::AttemptsSpent { cap: 1 }));
    }
}

#[tokio::test(start_paused = true)]
async fn the_line_names_the_candidate_and_reads_well() {
    let leaf = Leaf::new([Step::Answer(millis(400), vec![Beat::Frame(Stage::Finish)])]);
    let mut request = streamed();
    request.body_mut().call.set_candidate(candidate("openai/gpt-5"));
    let response = ask(&AttemptLayer::new().layer(leaf), request).await.unwrap();
    assert_eq!(
        text(&response),
        "  1  gpt-5                         answering, first token in 0.4 s"
    );
}
