//! Upstreams that waste time and memory.

use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use crate::support::{
    FIRST, SECOND, ask, call,
    raw::{Raw, Step, chunk, done, events, head, json},
};
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use tokio::time::Instant;
use tower::service_fn;
use tower_openrouter::{
    Account, ApiKey, ApiRequest, ChatBody, Error, FailureKind, Stack,
    layers::{
        Phase,
        retry::{Exponential, RetryBudget},
        timeout::MinThroughput,
    },
    transport::{Dialect, OPENROUTER, Transport, Upstream},
};

/// A body of the same bytes without end, always ready; each read takes a millisecond, as a busy thread's does.
struct Endless(&'static [u8]);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        // As tokio's sockets do: a task that never waits has to let others run.
        let mut budget = pin!(tokio::task::coop::consume_budget());
        if budget.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // The clock moves at the first poll.
        assert!(
            pin!(tokio::time::advance(Duration::from_millis(1)))
                .poll(cx)
                .is_pending()
        );
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.0)))))
    }
}

fn over(body: fn() -> ChatBody) -> impl tower_openrouter::ChatService {
    let leaf = service_fn(move |_: http::Request<ApiRequest>| async move { Ok::<_, Error>(Response::new(body())) });
    Stack::openrouter(ApiKey::new("sk-or-v1-test").unwrap())
        .chain([FIRST])
        .attempts_per_candidate(1)
        .first_token_timeout(None)
        .response_timeout(None)
        .deadline(Duration::from_secs(30))
        .build_over(leaf)
        .unwrap()
}

/// Invariant 1 against bodies that are always ready and never show anything.
#[tokio::test(start_paused = true)]
async fn a_flood_does_not_outrun_the_deadline() {
    let floods: [fn() -> ChatBody; 5] = [
        || ChatBody::from_event_stream(Endless(b"\n\n\n\n")),
        || ChatBody::from_event_stream(Endless(b": alive\n\n")),
        || ChatBody::from_event_stream(Endless(b"event: x\n\n")),
        || ChatBody::from_event_stream(Endless(b"data: x")),
        || ChatBody::from_plain(Endless(b" ")),
    ];
    for (number, flood) in floods.into_iter().enumerate() {
        let got = call(&over(flood), true, ask()).await;
        let kind = got.kind();
        assert_eq!(kind, Some(FailureKind::Timeout(Phase::Deadline)), "{number}: {got:?}");
        assert!(got.took < Duration::from_secs(31), "{number}: {got:?}");
    }
}

/// Nor does a flood behind the end.
#[tokio::test(start_paused = true)]
async fn a_flood_behind_the_end_is_not_read() {
    let got = call(
        &over(|| ChatBody::from_event_stream(Endless(b"data: [DONE]\n\n"))),
        true,
        ask(),
    )
    .await;
    assert_eq!(got.kind(), Some(FailureKind::EmptyResponse), "{got:?}");
}

/// An error's body that never ends costs neither the error nor the time.
#[tokio::test(start_paused = true)]
async fn an_endless_error_body_does_not_hide_the_error() {
    let refused = head("429 Too Many Requests\r\nretry-after: 7", "application/json");
    for drip in [
        Step::Drip(b" ".to_vec(), Duration::from_secs(1)),
        Step::Drip(vec![b' '; 65_536], Duration::from_millis(1)),
        Step::Hang,
    ] {
        let raw = Raw::always(vec![refused.clone(), drip.clone()]).await;
        let got = call(
            &raw.builder().first_token_timeout(None).deadline(None).build().unwrap(),
            true,
            ask(),
        )
        .await;
        let error = got.error.as_ref().unwrap();
        assert_eq!(error.kind(), FailureKind::RateLimited, "{drip:?}: {got:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{got:?}");
        assert!(got.took <= Duration::from_secs(5), "{drip:?}: {got:?}");
    }
}

/// A plain answer that drips: the answer's clock, whatever comes.
#[tokio::test(start_paused = true)]
async fn a_dripping_plain_answer_ends_with_its_clock() {
    let raw = Raw::always(vec![json(), Step::Drip(b" ".to_vec(), Duration::from_secs(1))]).await;
    let got = call(&raw.alone(), false, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Response)), "{got:?}");
    assert_eq!(
        got.took,
        Duration::from_secs(110),
        "90 s, and 20 s more for the last candidate"
    );
}

/// Account calls have a limit of their own, to the last byte.
#[tokio::test(start_paused = true)]
async fn an_account_call_times_out() {
    for steps in [
        vec![json(), Step::Drip(b" ".to_vec(), Duration::from_secs(1))],
        vec![Step::Hang],
    ] {
        let raw = Raw::always(steps).await;
        let transport = Transport::builder().upstream(raw.upstream()).build().unwrap();
        let account = Account::new(transport, raw.upstream(), None);
        let begun = Instant::now();
        let error = account.models().await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::Timeout(Phase::Response), "{error:?}");
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
    }
}

/// In real time: a paused clock runs on while many bytes are on their way.
#[tokio::test]
async fn a_flood_for_an_account_call_is_cut_off() {
    let flood = Step::Drip(vec![b' '; 1 << 20], Duration::ZERO);
    let raw = Raw::always(vec![json(), flood]).await;
    let transport = Transport::builder().upstream(raw.upstream()).build().unwrap();
    let error = Account::new(transport, raw.upstream(), None).key().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Malformed, "{error:?}");
}

/// A host that takes the connection and says nothing is as good as none: TLS is part of the dial.
#[tokio::test(start_paused = true)]
async fn a_silent_handshake_is_no_connection() {
    let raw = Raw::always(vec![Step::Hang]).await;
    let url = raw.url().replace("http://", "https://");
    let upstream = Upstream::new(OPENROUTER, &url, Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-test").unwrap())
        .attempts_per_candidate(1)
        .chain([FIRST])
        .connections(|builder| builder.connect_timeout(Duration::from_secs(3)))
        .build()
        .unwrap();
    let got = call(&stack, true, ask()).await;
    assert_eq!(
        (got.kind(), got.took),
        (Some(FailureKind::Connect), Duration::from_secs(3)),
        "{got:?}"
    );
}

/// The largest numbers there are: nothing overflows, nothing is refused that is only silly.
#[tokio::test(start_paused = true)]
async fn extreme_settings_do_not_panic() {
    let raw = Raw::start(|request| {
        if request.contains(SECOND) {
            vec![
                events(),
                chunk("Sky", "\"stop\""),
                Step::Wait(Duration::from_secs(1)),
                done(),
            ]
        } else {
            vec![head("503 Service Unavailable\r\nretry-after: 1e300", "text/plain")]
        }
    })
    .await;
    for time in [
        Duration::MAX,
        Duration::from_nanos(1),
        Duration::from_secs(u64::MAX / 2),
    ] {
        let stack = raw
            .builder()
            .chain([FIRST, SECOND])
            .deadline(Duration::MAX)
            .first_token_timeout(Duration::MAX)
            .response_timeout(Duration::MAX)
            .idle_timeout(Duration::MAX)
            .last_candidate_grace(time)
            .min_throughput(MinThroughput::new(u32::MAX, Duration::MAX))
            .max_retry_delay(time)
            .trailer_timeout(time)
            .backoff(Exponential::new(time, time))
            .attempts(u32::MAX)
            .attempts_per_candidate(3)
            .retry_timeouts(true)
            .retry_budget(RetryBudget::new(f64::MAX, f64::INFINITY))
            .connections(|builder| {
                builder
                    .connect_timeout(Duration::MAX)
                    .pool_idle_timeout(time)
                    .pool_max_idle(usize::MAX)
            })
            .build()
            .unwrap();
        let got = call(&stack, true, ask()).await;
        assert_eq!((got.text.as_str(), got.kind()), ("Sky", None), "{time:?}: {got:?}");
    }
}
