//! Frames are held back until the answer begins.

use http_body::Body;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, LayerError, Stage,
    first_token::{FirstTokenLayer, MAX_HELD_BYTES},
};

use crate::support::{Beat, Leaf, Probe, Step, TestError, ask, fails, poll_once, read, secs, streamed, within};

const BEGIN: Beat = Beat::Frame(Stage::Content);
const ROLE: Beat = Beat::Frame(Stage::Preamble);
/// The size of a large frame, in bytes.
const SIZE: usize = 64 * 1024;

fn fails_with(beats: impl IntoIterator<Item = Beat>) -> (impl Future<Output = TestError>, Probe) {
    let leaf = Leaf::new([Step::body(beats)]);
    let probe = leaf.probe();
    let service = FirstTokenLayer::new().layer(leaf);
    let failing = async move { ask(&service, streamed()).await.unwrap_err() };
    (failing, probe)
}

#[tokio::test(start_paused = true)]
async fn resolves_at_the_first_content_and_replays_what_was_held() {
    let leaf = Leaf::new([Step::body([
        Beat::Frame(Stage::KeepAlive),
        ROLE,
        Beat::Trailers,
        Beat::Pause(secs(3)),
        Beat::Frame(Stage::KeepAlive),
        BEGIN,
        Beat::Pause(secs(4)),
        Beat::Frame(Stage::KeepAlive),
        BEGIN,
        Beat::Frame(Stage::Finish),
        Beat::Frame(Stage::Trailer),
    ])]);
    let service = FirstTokenLayer::new().layer(leaf);
    let (response, took) = within(ask(&service, streamed())).await;
    assert_eq!(took, secs(3));
    let body = response.unwrap().into_body();
    assert!(!body.is_end_stream());
    let reading = read(body).await;
    assert_eq!(
        reading.stages,
        [
            Stage::Preamble,
            Stage::Content,
            Stage::KeepAlive,
            Stage::Content,
            Stage::Finish,
            Stage::Trailer
        ]
    );
    assert!(reading.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_honest_end_is_a_beginning() {
    let leaf = Leaf::new([Step::body([ROLE, Beat::Frame(Stage::Finish)])]);
    let body = ask(&FirstTokenLayer::new().layer(leaf), streamed()).await.unwrap();
    let reading = read(body.into_body()).await;
    assert_eq!(reading.stages, [Stage::Preamble, Stage::Finish]);
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_beginning_is_empty() {
    for beats in [
        vec![],
        vec![ROLE],
        vec![Beat::Frame(Stage::KeepAlive), Beat::Trailers],
        vec![ROLE, Beat::Frame(Stage::Trailer)],
    ] {
        let (failing, probe) = fails_with(beats);
        assert_eq!(failing.await.layer, Some(LayerError::EmptyResponse));
        probe.assert_quiet();
    }
}

#[tokio::test(start_paused = true)]
async fn the_bodys_own_error_is_the_failure() {
    let (failing, probe) = fails_with([ROLE, Beat::Fail(fails(FailureKind::Overloaded))]);
    assert_eq!(failing.await.kind, FailureKind::Overloaded);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn after_the_beginning_it_is_the_bodys() {
    let broken = Beat::Fail(fails(FailureKind::Truncated));
    let leaf = Leaf::new([Step::body([BEGIN, broken])]);
    let response = ask(&FirstTokenLayer::new().layer(leaf), streamed()).await;
    let reading = read(response.unwrap().into_body()).await;
    assert_eq!(reading.stages, [Stage::Content]);
    assert_eq!(reading.error.unwrap().kind, FailureKind::Truncated);
}

/// The bound is one of memory: a good answer may begin behind more. It is passed on as it comes, in its order.
#[tokio::test(start_paused = true)]
async fn an_answer_that_begins_behind_more_than_is_held_is_passed_on() {
    let most = MAX_HELD_BYTES / SIZE;
    for layer in [FirstTokenLayer::new(), no_stop()] {
        let mut beats = vec![Beat::Held(SIZE); most + 1];
        beats.extend([Beat::Pause(secs(3)), ROLE, BEGIN, Beat::Frame(Stage::KeepAlive)]);
        let leaf = Leaf::new([Step::body(beats)]);
        let probe = leaf.probe();
        let (response, took) = within(ask(&layer.layer(leaf), streamed())).await;
        assert_eq!(took, secs(0), "nothing more is held");
        let reading = read(response.unwrap().into_body()).await;
        assert!(reading.error.is_none());
        let (held, behind) = reading.stages.split_at(most + 1);
        assert!(held.iter().all(|stage| *stage == Stage::Preamble));
        assert_eq!(behind, [Stage::Preamble, Stage::Content, Stage::KeepAlive]);
        probe.assert_quiet();
    }
}

/// What was passed on for want of room is no answer: its end is not that of one.
#[tokio::test(start_paused = true)]
async fn an_end_behind_more_than_is_held_is_empty() {
    let most = MAX_HELD_BYTES / SIZE;
    for layer in [FirstTokenLayer::new(), no_stop()] {
        for behind in [vec![], vec![ROLE, Beat::Frame(Stage::Trailer)], vec![Beat::Trailers]] {
            let mut beats = vec![Beat::Held(SIZE); most + 1];
            beats.extend(behind);
            let leaf = Leaf::new([Step::body(beats)]);
            let probe = leaf.probe();
            let body = ask(&layer.layer(leaf), streamed()).await.unwrap().into_body();
            assert!(!body.is_end_stream());
            let reading = read(body).await;
            assert_eq!(reading.error.unwrap().layer, Some(LayerError::EmptyResponse));
            probe.assert_quiet();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_and_small_frames_take_little_room() {
    let mut beats = vec![Beat::Frame(Stage::KeepAlive); 10_000];
    // Seconds of hidden reasoning.
    beats.extend(vec![ROLE; 5000]);
    beats.push(BEGIN);
    let leaf = Leaf::new([Step::body(beats)]);
    let response = ask(&FirstTokenLayer::new().layer(leaf), streamed()).await;
    let reading = read(response.unwrap().into_body()).await;
    assert_eq!(reading.stages.len(), 5001);
}

#[tokio::test(start_paused = true)]
async fn dropped_while_calling_or_holding_leaves_nothing() {
    let leaf = Leaf::new([Step::Hang, Step::body([ROLE, Beat::Stall])]);
    let probe = leaf.probe();
    let mut service = FirstTokenLayer::new().layer(leaf);
    for _ in 0..2 {
        let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
        assert!(poll_once(future.as_mut()).is_pending());
        assert!(format!("{future:?}").contains("held"));
        drop(future);
    }
    let counts = probe.counts();
    assert_eq!((counts.futures_dropped, counts.bodies_dropped), (1, 1));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn dropped_with_frames_held_leaves_nothing() {
    let leaf = Leaf::new([Step::body([ROLE, BEGIN, Beat::Stall])]);
    let probe = leaf.probe();
    drop(ask(&FirstTokenLayer::new().layer(leaf), streamed()).await.unwrap());
    assert_eq!(probe.counts().bodies_dropped, 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_always_ready_lets_others_have_their_turn() {
    let mut beats = vec![Beat::Frame(Stage::KeepAlive); 10_000];
    beats.push(BEGIN);
    let mut service = FirstTokenLayer::new().layer(Leaf::new([Step::body(beats)]));
    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(future.as_mut()).is_pending());
    assert!(future.await.is_ok());
}

fn no_stop() -> FirstTokenLayer {
    FirstTokenLayer::new()
        .fail_on_finish_reason(|reason| (reason == "stop").then_some(FailureKind::ContextLengthExceeded))
}

/// A finish of which nothing was shown before fails the call, once what it cost is known.
#[tokio::test(start_paused = true)]
async fn a_finish_reason_that_counts_as_a_failure_fails_the_call_after_its_last_frame() {
    let usage = Beat::Used(70);
    for beats in [
        vec![Beat::Frame(Stage::Finish), Beat::Pause(secs(2)), usage.clone()],
        vec![
            Beat::Frame(Stage::Preamble),
            Beat::Frame(Stage::Finish),
            Beat::Pause(secs(2)),
            usage.clone(),
        ],
        vec![
            Beat::Frame(Stage::Finish),
            Beat::Pause(secs(2)),
            Beat::Fail(fails(FailureKind::Truncated)),
        ],
    ] {
        let leaf = Leaf::new([Step::body(beats)]);
        let probe = leaf.probe();
        let (result, took) = within(ask(&no_stop().layer(leaf), streamed())).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind, took), (FailureKind::ContextLengthExceeded, secs(2)));
        assert_eq!(
            error.summary,
            "the answer ended with the finish reason `stop`, which counts as context_length_exceeded here"
        );
        probe.assert_quiet();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_shown_ends_with_the_failure_and_its_usage_is_read() {
    let beats = [
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Finish),
        Beat::Pause(secs(2)),
        Beat::Used(70),
    ];
    let leaf = Leaf::new([Step::body(beats.clone()), Step::body(beats)]);
    let probe = leaf.probe();
    let body = ask(&no_stop().layer(leaf.clone()), streamed())
        .await
        .unwrap()
        .into_body();
    let (reading, took) = within(read(body)).await;
    assert_eq!(reading.stages, [Stage::Content, Stage::Content]);
    let kind = reading.error.map(|error| error.kind);
    assert_eq!((kind, took), (Some(FailureKind::ContextLengthExceeded), secs(2)));
    probe.assert_quiet();
    // By default it is an answer.
    let body = ask(&FirstTokenLayer::new().layer(leaf), streamed())
        .await
        .unwrap()
        .into_body();
    assert!(read(body).await.error.is_none());
}
