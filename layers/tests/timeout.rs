//! The timeouts of one attempt.

use std::time::Duration;

use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_llm_layers::{
    FailureKind, Phase, Stage,
    first_token::FirstTokenLayer,
    timeout::{AttemptTimeoutLayer, MinThroughput, Timeouts},
};

use crate::support::{Beat, Leaf, Step, ask, millis, plain, poll_once, read, secs, streamed, turn_of, within};

const BEGIN: Beat = Beat::Frame(Stage::Content);
const ALIVE: Beat = Beat::Frame(Stage::KeepAlive);

fn layer() -> AttemptTimeoutLayer {
    AttemptTimeoutLayer::new(secs(10)).last_candidate_grace(Duration::ZERO)
}

#[tokio::test(start_paused = true)]
async fn the_first_token_has_its_time_whatever_comes_before() {
    let beats = [ALIVE, Beat::Pause(secs(9)), ALIVE, Beat::Pause(secs(9)), BEGIN];
    let leaf = Leaf::new([Step::body(beats)]);
    let probe = leaf.probe();
    let service = ServiceBuilder::new()
        .layer(layer())
        .layer(FirstTokenLayer::new())
        .service(leaf);
    let (result, took) = within(ask(&service, streamed())).await;
    let error = result.unwrap_err();
    assert_eq!(error.kind, FailureKind::Timeout(Phase::FirstToken));
    assert_eq!(error.summary, "no first token in 10 s");
    assert_eq!(took, secs(10));
    assert_eq!(probe.counts().bodies_dropped, 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_plain_call_has_a_clock_of_its_own() {
    let layer = layer().response_timeout(Some(secs(60)));
    let service = layer.layer(Leaf::new([Step::Hang, Step::Hang]));
    let (result, took) = within(ask(&service, plain())).await;
    let kind = result.unwrap_err().kind;
    assert_eq!((kind, took), (FailureKind::Timeout(Phase::Response), secs(60)));
    assert_eq!(within(ask(&service, streamed())).await.1, secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_last_candidate_has_a_grace() {
    let service = layer()
        .last_candidate_grace(secs(5))
        .response_timeout(Some(secs(60)))
        .layer(Leaf::new([Step::Hang, Step::Hang, Step::Hang]));
    // Without a chain, it is the last.
    assert_eq!(within(ask(&service, streamed())).await.1, secs(15));
    assert_eq!(within(ask(&service, plain())).await.1, secs(65));
    let mut request = streamed();
    request.body_mut().call = turn_of(["a", "b"]).await;
    assert_eq!(within(ask(&service, request)).await.1, secs(10));
}

#[tokio::test(start_paused = true)]
async fn silence_mid_stream_ends_it_and_a_sign_of_life_does_not() {
    let beats = [
        BEGIN,
        Beat::Pause(secs(29)),
        ALIVE,
        Beat::Pause(secs(29)),
        BEGIN,
        Beat::Pause(secs(31)),
        BEGIN,
    ];
    let leaf = Leaf::new([Step::body(beats)]);
    let probe = leaf.probe();
    let service = layer().idle_timeout(Some(secs(30))).layer(leaf);
    let response = ask(&service, streamed()).await.unwrap();
    let mut body = response.into_body();
    let (reading, took) = within(read(&mut body)).await;
    assert_eq!(reading.stages, [Stage::Content, Stage::KeepAlive, Stage::Content]);
    let kind = reading.error.unwrap().kind;
    assert_eq!((kind, took), (FailureKind::Timeout(Phase::Idle), secs(88)));
    assert!(body.frame().await.is_none());
    assert_eq!(probe.counts().bodies_dropped, 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_a_silent_upstream() {
    let beats = [BEGIN, BEGIN, Beat::Pause(secs(1)), BEGIN];
    let pace = Some(MinThroughput::new(1, secs(10)));
    let service = layer().idle_timeout(Some(secs(30))).min_throughput(pace);
    let service = service.layer(Leaf::new([Step::body(beats)]));
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    for _ in 0..3 {
        tokio::time::advance(secs(1000)).await;
        assert!(body.frame().await.unwrap().is_ok());
    }
    assert!(body.frame().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stream_below_its_floor_ends() {
    let mut beats = Vec::new();
    for pause in [1, 1, 1, 1, 6, 6, 6] {
        beats.extend([Beat::Pause(secs(pause)), BEGIN, ALIVE]);
    }
    let pace = MinThroughput::new(2, secs(10));
    let service = layer().idle_timeout(None).min_throughput(Some(pace));
    let service = service.layer(Leaf::new([Step::body(beats.clone())]));
    let body = ask(&service, streamed()).await.unwrap().into_body();
    let (reading, took) = within(read(body)).await;
    let kind = reading.error.unwrap().kind;
    assert_eq!((kind, took), (FailureKind::Timeout(Phase::Throughput), secs(20)));
    // Off by default, and a floor of nothing is none.
    let nothing = [(0, secs(10)), (2, Duration::ZERO)];
    let nothing = nothing.map(|(tokens, window)| Some(MinThroughput::new(tokens, window)));
    for pace in [None, nothing[0], nothing[1]] {
        let service = layer().min_throughput(pace);
        let service = service.layer(Leaf::new([Step::body(beats.clone())]));
        let body = ask(&service, streamed()).await.unwrap().into_body();
        assert!(read(body).await.error.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn no_clock_at_all_waits() {
    let mut timeouts = Timeouts::default();
    timeouts.first_token = None;
    timeouts.response = None;
    timeouts.idle = None;
    let slow = Step::Answer(secs(9_000), vec![BEGIN, Beat::Pause(secs(9_000)), BEGIN]);
    let service = AttemptTimeoutLayer::with_timeouts(timeouts).layer(Leaf::new([slow]));
    assert_eq!(service.timeouts(), &timeouts);
    let body = ask(&service, streamed()).await.unwrap().into_body();
    assert!(read(body).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn endless_limits_do_not_panic() {
    let pace = Some(MinThroughput::new(1, Duration::MAX));
    let layer = AttemptTimeoutLayer::new(Duration::MAX)
        .response_timeout(Some(Duration::MAX))
        .idle_timeout(Some(Duration::MAX))
        .min_throughput(pace);
    let beats = vec![BEGIN, Beat::Pause(secs(60)), BEGIN];
    let service = layer.layer(Leaf::new([Step::Answer(secs(60), beats)]));
    let body = ask(&service, streamed()).await.unwrap().into_body();
    assert!(read(body).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_in_time_wins_a_tie() {
    let beats = vec![BEGIN, Beat::Pause(secs(30)), BEGIN];
    let service = layer()
        .idle_timeout(Some(secs(30)))
        .layer(Leaf::new([Step::Answer(secs(10), beats)]));
    let body = ask(&service, streamed()).await.unwrap().into_body();
    assert!(read(body).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn dropped_future_and_body_leave_nothing() {
    let leaf = Leaf::new([Step::Hang, Step::body([BEGIN, Beat::Stall])]);
    let probe = leaf.probe();
    let mut service = layer().layer(leaf);
    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(future.as_mut()).is_pending());
    drop(future);
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    let waiting = tokio::time::timeout(millis(1), body.frame()).await;
    assert!(waiting.is_err());
    drop(body);
    let counts = probe.counts();
    assert_eq!((counts.futures_dropped, counts.bodies_dropped), (1, 1));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn what_is_inside_goes_before_the_error_comes() {
    let leaf = Leaf::new([Step::Hang]);
    let probe = leaf.probe();
    let mut service = layer().layer(leaf);
    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
    future.as_mut().await.unwrap_err();
    // The future is still there.
    assert_eq!(probe.counts().futures_dropped, 1);
    probe.assert_quiet();
    assert!(poll_once(future.as_mut()).is_pending());
}
