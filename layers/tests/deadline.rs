//! One instant by which a call has ended, its last byte included.

use std::time::Duration;

use http::HeaderName;
use tower::{Layer, Service, ServiceExt};
use tower_llm_layers::{
    FailureKind, LayerError, Phase, Stage,
    deadline::{DEADLINE_HEADER, DEFAULT_MAX_PAUSE, DeadlineLayer},
};

use crate::support::{Beat, Leaf, Step, ask, fails, millis, plain, poll_once, read, secs, streamed, within};

const TOTAL: FailureKind = FailureKind::Timeout(Phase::Deadline);

#[tokio::test(start_paused = true)]
async fn a_hang_ends_at_the_deadline_and_is_dropped() {
    let leaf = Leaf::new([Step::Hang]);
    let probe = leaf.probe();
    let service = DeadlineLayer::new(secs(90)).layer(leaf);
    let (result, took) = within(ask(&service, streamed())).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, took), (TOTAL, secs(90)));
    assert_eq!(error.summary, "no answer within 90 s");
    assert_eq!(probe.counts().futures_dropped, 1);
    assert_eq!(probe.seen()[0].remaining, Some(secs(90)));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn a_stall_mid_stream_ends_at_the_same_instant_once() {
    let beats = [
        Beat::Frame(Stage::Content),
        Beat::Pause(secs(50)),
        Beat::Frame(Stage::Content),
        Beat::Stall,
    ];
    let leaf = Leaf::new([Step::Answer(secs(20), beats.to_vec())]);
    let probe = leaf.probe();
    let service = DeadlineLayer::new(secs(90)).layer(leaf);
    let (reading, took) = within(async {
        let mut body = ask(&service, streamed()).await.unwrap().into_body();
        let reading = read(&mut body).await;
        assert!(read(&mut body).await.stages.is_empty(), "it ends once");
        assert!(http_body::Body::is_end_stream(&body));
        reading
    })
    .await;
    assert_eq!(reading.stages, [Stage::Content, Stage::Content]);
    assert_eq!((reading.error.unwrap().kind, took), (TOTAL, secs(90)));
    assert_eq!(probe.counts().bodies_dropped, 1);
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_in_time_wins_a_tie() {
    let step = Step::Answer(secs(90), vec![Beat::Frame(Stage::Finish)]);
    let service = DeadlineLayer::new(secs(90)).layer(Leaf::new([step]));
    assert!(ask(&service, streamed()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn frames_that_never_pause_end_soon_after_the_deadline() {
    let beats = vec![Beat::Frame(Stage::Content); 1000];
    let service = DeadlineLayer::new(secs(10)).layer(Leaf::new([Step::body(beats)]));
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    let mut read = 0_u32;
    // A reader that takes a second a frame.
    while let Some(Ok(_)) = http_body_util::BodyExt::frame(&mut body).await {
        tokio::time::advance(secs(1)).await;
        read += 1;
    }
    assert!((10..=26).contains(&read), "{read}");
}

#[tokio::test(start_paused = true)]
async fn the_callers_header_only_brings_it_forward() {
    for (header, expected) in [("30s", 30), ("5000", 5), ("1.5s", 1), ("200s", 90)] {
        let service = DeadlineLayer::new(secs(90)).layer(Leaf::new([Step::Hang]));
        let mut request = streamed();
        request.headers_mut().insert(DEADLINE_HEADER, header.parse().unwrap());
        let (_, took) = within(ask(&service, request)).await;
        assert_eq!(took.as_secs(), expected, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_header_may_be_another_or_none() {
    let name = HeaderName::from_static("x-patience");
    let mut request = streamed();
    request.headers_mut().insert(&DEADLINE_HEADER, "soon".parse().unwrap());
    request.headers_mut().insert(&name, "2s".parse().unwrap());
    let layer = DeadlineLayer::new(secs(90));
    let other = layer.clone().header(Some(name.clone()));
    let other = other.layer(Leaf::new([Step::Hang]));
    assert_eq!(other.header(), Some(&name));
    assert_eq!(within(ask(&other, request.clone())).await.1, secs(2));
    let none = layer.header(None).layer(Leaf::new([Step::Hang]));
    assert_eq!(within(ask(&none, request)).await.1, secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_header_that_says_nothing_is_refused_unsent() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let mut request = streamed();
    request.headers_mut().insert(DEADLINE_HEADER, "soon".parse().unwrap());
    let service = DeadlineLayer::from_caller().layer(leaf);
    let error = ask(&service, request).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::BadRequest);
    assert!(matches!(error.layer, Some(LayerError::BadDeadline { header }) if header == "x-request-timeout-ms"));
    assert!(error.marks.attempts().is_some());
    assert_eq!(probe.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_if_no_time_is_left() {
    let leaf = Leaf::new([]);
    let probe = leaf.probe();
    let service = DeadlineLayer::from_caller().layer(leaf);
    let mut request = streamed();
    request.headers_mut().insert(DEADLINE_HEADER, "0".parse().unwrap());
    assert_eq!(ask(&service, request).await.unwrap_err().kind, TOTAL);
    let mut request = streamed();
    let past = tokio::time::Instant::now();
    tokio::time::advance(secs(1)).await;
    request.body_mut().call.limit_deadline(past);
    assert_eq!(ask(&service, request).await.unwrap_err().kind, TOTAL);
    assert_eq!(probe.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_any_limit_it_waits() {
    let service = DeadlineLayer::from_caller().layer(Leaf::new([Step::silent_for(secs(9_000))]));
    assert_eq!(service.total(), None);
    let body = ask(&service, streamed()).await.unwrap().into_body();
    assert!(read(body).await.error.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_earliest_deadline_holds_even_from_the_request() {
    let service = DeadlineLayer::new(secs(90)).layer(Leaf::new([Step::Hang]));
    let mut request = plain();
    let early = tokio::time::Instant::now() + secs(7);
    request.body_mut().call.limit_deadline(early);
    request.body_mut().call.limit_deadline(early + secs(1));
    assert_eq!(within(ask(&service, request)).await.1, secs(7));
}

#[tokio::test(start_paused = true)]
async fn an_inner_failure_passes_with_the_log() {
    let step = Step::Fail(millis(5), fails(FailureKind::Upstream));
    let service = DeadlineLayer::new(secs(90)).layer(Leaf::new([step]));
    let error = ask(&service, streamed()).await.unwrap_err();
    assert_eq!(error.kind, FailureKind::Upstream);
    assert_eq!(error.log().sent(), 0, "no attempt layer inside");
}

#[tokio::test(start_paused = true)]
async fn dropped_future_and_body_leave_nothing() {
    let leaf = Leaf::new([Step::Hang, Step::body([Beat::Frame(Stage::Content), Beat::Stall])]);
    let probe = leaf.probe();
    let mut service = DeadlineLayer::new(secs(90)).layer(leaf);
    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
    assert!(poll_once(future.as_mut()).is_pending());
    drop(future);
    drop(ask(&service, streamed()).await.unwrap());
    let counts = probe.counts();
    assert_eq!((counts.futures_dropped, counts.bodies_dropped), (1, 1));
    probe.assert_quiet();
}

#[tokio::test(start_paused = true)]
async fn what_is_inside_goes_before_the_error_comes() {
    let leaf = Leaf::new([Step::Hang]);
    let probe = leaf.probe();
    let mut service = DeadlineLayer::new(secs(90)).layer(leaf);
    let mut future = Box::pin(service.ready().await.unwrap().call(streamed()));
    future.as_mut().await.unwrap_err();
    // The future is still there.
    assert_eq!(probe.counts().futures_dropped, 1);
    probe.assert_quiet();
    assert!(poll_once(future.as_mut()).is_pending());
}

/// What cuts an answer whose beginning alone is limited, to three minutes.
async fn cut(pause: Option<Duration>, beats: Vec<Beat>) -> Option<FailureKind> {
    let layer = DeadlineLayer::until_first_token(secs(180)).max_pause(pause);
    let service = layer.layer(Leaf::new([Step::body(beats)]));
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    read(&mut body).await.error.map(|error| error.kind)
}

/// A look at the clock while frames are ready puts the next one off: the timer of the one before must not cut the answer.
#[tokio::test(start_paused = true)]
async fn a_stream_that_was_read_late_is_not_cut_by_an_old_timer() {
    let layer = DeadlineLayer::until_first_token(secs(180));
    let mut beats = vec![Beat::Frame(Stage::Content), Beat::Pause(secs(130))];
    beats.extend(vec![Beat::Frame(Stage::Content); 15]);
    beats.extend([
        Beat::Pause(secs(20)),
        Beat::Frame(Stage::Content),
        Beat::Frame(Stage::Finish),
    ]);
    let service = layer.layer(Leaf::new([Step::body(beats)]));
    let mut body = ask(&service, streamed()).await.unwrap().into_body();
    for has_frame in [true, false] {
        let polled = poll_once(std::pin::pin!(http_body_util::BodyExt::frame(&mut body)));
        assert_eq!(polled.is_ready(), has_frame);
    }
    // It is not polled meanwhile.
    tokio::time::sleep(secs(185)).await;
    let reading = read(&mut body).await;
    assert!(reading.error.is_none(), "{:?}", reading.error);
    assert_eq!(reading.stages.len(), 17);
}

#[tokio::test(start_paused = true)]
async fn a_begun_answer_may_pause_for_so_long_and_no_longer() {
    let silent = |pause| {
        let mut beats = vec![Beat::Frame(Stage::Content)];
        for _ in 0..20 {
            beats.extend([Beat::Pause(secs(10)), Beat::Frame(Stage::Content)]);
        }
        // Signs of life show nothing.
        for _ in 0..pause / 10 {
            beats.extend([Beat::Pause(secs(10)), Beat::Held(0)]);
        }
        beats.extend([Beat::Frame(Stage::Content), Beat::Frame(Stage::Finish)]);
        beats
    };
    let minute = Some(DEFAULT_MAX_PAUSE);
    for (longest, pause, is_cut) in [
        (minute, 50, false),
        (minute, 150, true),
        (Some(secs(300)), 250, false),
        (Some(secs(300)), 700, true),
        (None, 3000, false),
        (Some(Duration::MAX), 3000, false),
    ] {
        let found = cut(longest, silent(pause)).await;
        assert_eq!(found, is_cut.then_some(TOTAL), "{longest:?} {pause}");
    }
}
