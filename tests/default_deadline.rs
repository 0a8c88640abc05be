//! The default deadline bounds the beginning of an answer; one that has begun has an end of its own.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_openrouter::{
    Api, ApiKey, ChatRequest, ChatServiceExt, FailureKind, Outcome, Stack,
    layers::{Phase, deadline::DEADLINE_HEADER},
    stack::StackBuilder,
};

use crate::support::{
    FIRST, ask, call,
    mounted::send as sent,
    raw::{Raw, Step, chunk, done, events, send},
};

const S: Duration = Duration::from_secs(1);

/// A stream of so many pieces of text, one in ten seconds.
fn slow(pieces: usize) -> Vec<Step> {
    let mut steps = vec![events()];
    for _ in 0..pieces {
        steps.extend([chunk("Sky ", "null"), Step::Wait(10 * S)]);
    }
    steps.extend([chunk("", "\"stop\""), done()]);
    steps
}

/// A stream that shows a piece of text every ten seconds, without an end.
fn endless() -> Vec<Step> {
    let Step::Send(piece) = chunk("Sky ", "null") else {
        unreachable!("a chunk is sent")
    };
    vec![events(), Step::Drip(piece, 10 * S)]
}

fn builder(raw: &Raw) -> StackBuilder {
    Stack::builder()
        .upstream(raw.upstream(), ApiKey::new("sk-s3cr3t").unwrap())
        .attempts_per_candidate(1)
        .chain([FIRST])
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_flows_outlives_the_default_and_not_a_deadline_that_was_set() {
    let raw = Raw::always(slow(40)).await;
    let got = call(&builder(&raw).build().unwrap(), true, ask()).await;
    assert_eq!((got.kind(), got.took.as_secs()), (None, 400), "{got:?}");
    let set = builder(&raw).deadline(180 * S).build().unwrap();
    let got = call(&set, true, ask()).await;
    let deadline = FailureKind::Timeout(Phase::Deadline);
    assert_eq!((got.kind(), got.took.as_secs()), (Some(deadline), 180));
    // Of one caller alone.
    let mut request = ask().into_http();
    request.headers_mut().insert(DEADLINE_HEADER, "200s".parse().unwrap());
    let begun = Instant::now();
    let answer = builder(&raw).build().unwrap().stream(request).await.unwrap();
    assert_eq!(answer.text().await.unwrap_err().kind(), deadline);
    assert_eq!(begun.elapsed().as_secs(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_not_begun_ends_at_the_default() {
    let raw = Raw::always(vec![events(), Step::Hang]).await;
    let patient = builder(&raw).first_token_timeout(None).response_timeout(None);
    let patient = patient.build().unwrap();
    for streamed in [true, false] {
        // The time that the model may think in silence comes on top.
        for (request, ends) in [
            (ask(), 180),
            (ask().reasoning_effort("low"), 210),
            (ask().reasoning_effort("xhigh"), 330),
        ] {
            let got = call(&patient, streamed, request).await;
            assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Deadline)));
            assert_eq!(got.took.as_secs(), ends);
        }
    }
}

fn tokens(most: u64) -> ChatRequest {
    ask().max_tokens(most)
}

/// At ten tokens in a second an answer of the longest length that the request allows has ended; without a limit after an hour.
#[tokio::test(start_paused = true)]
async fn a_begun_answer_ends_when_the_slowest_one_would_have() {
    let raw = Raw::always(endless()).await;
    let stack = builder(&raw).build().unwrap();
    for (request, ends) in [
        (tokens(1000), 280),
        (tokens(4_000_000), 180 + 3600),
        (ask(), 180 + 3600),
    ] {
        let got = call(&stack, true, request.clone()).await;
        assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Deadline)), "{got:?}");
        assert_eq!(got.took.as_secs(), ends);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_for_three_minutes_holds_nothing_and_one_that_is_read_slowly_continues() {
    let raw = Raw::always(slow(60)).await;
    let stack = builder(&raw).build().unwrap();
    let mut unread = stack.stream(ask()).await.unwrap();
    let mut slowly = stack.stream(ask()).await.unwrap();
    let log = unread.attempts().unwrap();
    sleep(100 * S).await;
    assert_eq!(log.attempts()[0].outcome, Outcome::Answering);
    for _ in 0..4 {
        assert_eq!(slowly.next_text().await.unwrap().unwrap(), "Sky ");
        sleep(100 * S).await;
    }
    assert_eq!(log.attempts()[0].outcome, Outcome::Dropped);
    let error = unread.next_text().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
    assert_eq!(slowly.next_text().await.unwrap().unwrap(), "Sky ");
    // Signs of life are no answer.
    let alive = Step::Drip(b": alive\n\n".to_vec(), 10 * S);
    let dripping = Raw::always(vec![events(), chunk("Sky", "null"), alive]).await;
    let got = call(&builder(&dripping).build().unwrap(), true, ask()).await;
    assert_eq!(
        (got.kind(), got.took.as_secs()),
        (Some(FailureKind::Timeout(Phase::Deadline)), 180)
    );
}

fn post(streamed: bool, times: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let body = json!({"model": FIRST, "stream": streamed, "messages": [{"role": "user", "content": "Hi"}]});
    let request = times.iter().fold(Request::post("/"), |request, (name, seconds)| {
        request.header(*name, *seconds)
    });
    request.body(Full::new(Bytes::from(body.to_string()))).unwrap()
}

/// What the SDKs for JavaScript send, what those for Python send, and both: the shorter time counts.
const FIVE_SECONDS: [&[(&str, &str)]; 5] = [
    &[("x-stainless-timeout", "5")],
    &[("x-stainless-read-timeout", "5.0")],
    &[("x-stainless-timeout", "10"), ("x-stainless-read-timeout", "5")],
    &[("x-stainless-timeout", "5"), ("x-stainless-read-timeout", "10")],
    &[("x-stainless-timeout", "0"), ("x-stainless-read-timeout", "5")],
];

/// The SDKs stop their timer when the headers are there.
#[tokio::test(start_paused = true)]
async fn the_time_of_the_clients_sdk_bounds_the_first_token_of_a_stream_and_the_whole_of_a_plain_answer() {
    let raw = Raw::start(|request| {
        if request.contains("\"stream\":true") {
            return slow(3);
        }
        vec![Step::Wait(20 * S), send("HTTP/1.1 200 OK\r\n\r\n{}")]
    })
    .await;
    let endpoint = builder(&raw)
        .deadline(120 * S)
        .build()
        .unwrap()
        .into_endpoint(Api::Chat);
    let raw = Raw::always(vec![events(), Step::Hang]).await;
    let hanging = builder(&raw).build().unwrap().into_endpoint(Api::Chat);
    for times in FIVE_SECONDS {
        let begun = Instant::now();
        let (parts, text) = sent(endpoint.clone(), post(true, times)).await;
        assert_eq!(
            (parts.status, begun.elapsed().as_secs()),
            (StatusCode::OK, 30),
            "{times:?}"
        );
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        for (endpoint, streamed) in [(&endpoint, false), (&hanging, true)] {
            let begun = Instant::now();
            let (parts, text) = sent(endpoint.clone(), post(streamed, times)).await;
            assert_eq!(
                (parts.status, begun.elapsed().as_secs()),
                (StatusCode::GATEWAY_TIMEOUT, 5),
                "{times:?}: {text}"
            );
        }
    }
}

/// What the idle timeout allows is not cut by the default deadline.
#[tokio::test(start_paused = true)]
async fn an_answer_may_pause_as_long_as_the_idle_timeout_allows() {
    let mut steps = vec![events()];
    for _ in 0..20 {
        steps.extend([chunk("Sky ", "null"), Step::Wait(10 * S)]);
    }
    for _ in 0..20 {
        steps.extend([send(": ping\n\n"), Step::Wait(10 * S)]);
    }
    steps.extend([chunk("", "\"stop\""), done()]);
    let raw = Raw::always(steps).await;
    let patient = builder(&raw).idle_timeout(300 * S).build().unwrap();
    let got = call(&patient, true, ask()).await;
    assert_eq!((got.kind(), got.took.as_secs()), (None, 400), "{got:?}");
    let got = call(&builder(&raw).build().unwrap(), true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Deadline)), "{got:?}");
}
