//! Connections that die without a word, that are closed behind our back, or that carry too much: no caller pays for it.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::sleep,
};
use tower_openrouter::{
    ApiKey, FailureKind, Stack, UsdAmount,
    layers::{Failure, Health, ledger::EntryState, retry::Exponential},
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, TransportBuilder, Upstream},
};

use crate::support::{
    FIRST, SECOND, ask, call,
    ledger::Kept,
    raw::{self, Raw},
};

const S: Duration = Duration::from_secs(1);
const ANSWER: &str = concat!(
    "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Sky\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n"
);

/// What the first connection does after so many requests.
#[derive(Debug, Clone, Copy)]
enum After {
    /// It stays open, and nothing is read or written any more.
    Silent(usize),
    /// It is closed with a GOAWAY, as each other one is.
    GoAway(usize),
    /// The first one is closed so, while answers are in flight on it: each begins a second late.
    GoAwayAmid(usize),
    /// A GOAWAY says that its first request was not processed.
    Refusing,
    /// Nothing; each answer begins this late, and a connection takes ten at once.
    Late(Duration),
}

/// An HTTP/2 upstream.
struct Http2 {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Http2 {
    async fn start(after: After) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, after, number));
            }
        });
        Self { url, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    fn builder(&self) -> StackBuilder {
        let upstream = Upstream::new(OPENROUTER, &self.url, Dialect::OpenRouter).unwrap();
        Stack::builder()
            .upstream(upstream, ApiKey::new(raw::KEY).unwrap())
            .connections(TransportBuilder::http2_prior_knowledge)
            .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
            .last_candidate_grace(Duration::ZERO)
            .chain([FIRST])
    }
}

/// Reads a request, and says that none was processed: frames by hand, as a server does that is shutting down.
async fn refuse(mut stream: TcpStream) {
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Of eight bytes: the last stream that was processed is 0, and there is no error.
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    stream.write_all(&SETTINGS).await.unwrap();
    let (mut buffer, mut read) = ([0; 4096], Vec::new());
    while !read.ends_with(b"}") {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => read.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    stream.write_all(&GOAWAY).await.unwrap();
    while let Ok(1..) = stream.read(&mut buffer).await {}
}

async fn serve(stream: TcpStream, after: After, number: usize) {
    if number == 0 && matches!(after, After::Refusing) {
        return refuse(stream).await;
    }
    let stop = Arc::new(Notify::new());
    let (tell, requests) = (Arc::clone(&stop), AtomicUsize::new(0));
    let service = service_fn(move |_: hyper::Request<Incoming>| {
        let request = requests.fetch_add(1, Ordering::Relaxed) + 1;
        let ends_after = match after {
            After::Silent(limit) | After::GoAway(limit) => Some(limit),
            After::GoAwayAmid(limit) => Some(limit).filter(|_| number == 0),
            After::Late(_) | After::Refusing => None,
        };
        if ends_after == Some(request) {
            let tell = Arc::clone(&tell);
            tokio::spawn(async move {
                sleep(Duration::from_millis(50)).await;
                tell.notify_one();
            });
        }
        async move {
            match after {
                After::Late(late) => sleep(late).await,
                After::GoAwayAmid(_) => sleep(S).await,
                _ => {}
            }
            let answer = Response::builder().header("content-type", "text/event-stream");
            Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(ANSWER.as_bytes()))).unwrap())
        }
    });
    let mut server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    if matches!(after, After::Late(_)) {
        server.max_concurrent_streams(10);
    }
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = stop.notified() => {}
    }
    match after {
        After::Silent(_) if number == 0 => std::future::pending().await,
        After::GoAway(_) | After::GoAwayAmid(_) => connection.as_mut().graceful_shutdown(),
        After::Silent(_) | After::Late(_) | After::Refusing => {}
    }
    drop(connection.await);
}

#[tokio::test(start_paused = true)]
async fn a_half_dead_connection_costs_two_calls_some_time_and_no_call_its_answer() {
    let upstream = Http2::start(After::Silent(3)).await;
    let stack = upstream
        .builder()
        .chain([FIRST, SECOND])
        .first_token_timeout(2 * S)
        .build()
        .unwrap();
    let mut slow = 0;
    for number in 0..40 {
        let got = call(&stack, true, ask()).await;
        assert!(got.error.is_none(), "call {number}: {got:?}");
        slow += usize::from(got.took >= S);
        sleep(S / 2).await;
    }
    assert_eq!(slow, 2);
    assert!(upstream.connections() <= 4, "{}", upstream.connections());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_died_is_found_by_its_pings() {
    let upstream = Http2::start(After::Silent(1)).await;
    let stack = upstream
        .builder()
        .connections(|builder| builder.pool_idle_timeout(600 * S))
        .build()
        .unwrap();
    assert!(call(&stack, true, ask()).await.error.is_none());
    sleep(40 * S).await;
    let got = call(&stack, true, ask()).await;
    assert!(got.error.is_none() && got.took < S, "{got:?}");
    assert_eq!((upstream.connections(), got.lines.len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_on_a_connection_that_dies_is_made_again_on_another_one() {
    let upstream = Http2::start(After::Silent(1)).await;
    let stack = upstream.builder().first_token_timeout(100 * S).build().unwrap();
    assert!(call(&stack, true, ask()).await.error.is_none());
    sleep(S).await;
    let got = call(&stack, true, ask()).await;
    assert!(got.error.is_none() && got.took <= 26 * S, "{got:?}");
    assert_eq!(got.asked(), [FIRST, FIRST], "each counts as an attempt");
}

#[tokio::test(start_paused = true)]
async fn a_goaway_costs_no_caller_an_answer() {
    let upstream = Http2::start(After::GoAway(3)).await;
    let stack = upstream.builder().build().unwrap();
    for number in 0..12 {
        let got = call(&stack, true, ask()).await;
        assert!(got.error.is_none(), "call {number}: {got:?}");
        sleep(S).await;
    }
    assert!(upstream.connections() > 2, "each GOAWAY is heeded");
}

/// What is in flight is answered on the connection that closes, and what comes later on a new one: no attempt is lost.
#[tokio::test(start_paused = true)]
async fn a_goaway_amid_answers_costs_no_attempt() {
    let upstream = Http2::start(After::GoAwayAmid(3)).await;
    let stack = upstream.builder().build().unwrap();
    let mut calls = Vec::new();
    for number in 0..6 {
        let stack = stack.clone();
        calls.push(tokio::spawn(async move { call(&stack, true, ask()).await }));
        // The GOAWAY comes between the third and the fourth.
        sleep(Duration::from_millis(if number == 2 { 300 } else { 10 })).await;
    }
    for one in calls {
        let got = one.await.unwrap();
        assert_eq!((got.text.as_str(), got.lines.len()), ("Sky", 1), "{got:?}");
    }
    assert_eq!(upstream.connections(), 2);
}

/// The client sends nothing again by itself: what a GOAWAY refuses is one more attempt, on another connection.
#[tokio::test(start_paused = true)]
async fn what_a_goaway_refuses_is_made_again_as_an_attempt() {
    let upstream = Http2::start(After::Refusing).await;
    let got = call(&upstream.builder().attempts(1).build().unwrap(), true, ask()).await;
    assert_eq!((got.kind(), got.lines.len()), (Some(FailureKind::Reset), 1), "{got:?}");
    let upstream = Http2::start(After::Refusing).await;
    let kept = Kept::new();
    let stack = upstream.builder().attempts(1).ledger(kept.clone()).build().unwrap();
    let error = call(&stack, true, ask()).await.error.unwrap();
    assert!(!Failure::may_be_billed(&error), "{error}");
    assert_eq!(
        Failure::advice(&error).health,
        Health::Neutral,
        "it says nothing of the upstream"
    );
    let entry = kept.entries().remove(0);
    assert_eq!((entry.cost(), entry.state), (UsdAmount::ZERO, EntryState::Settled));
    let upstream = Http2::start(After::Refusing).await;
    let got = call(&upstream.builder().build().unwrap(), true, ask()).await;
    assert_eq!((got.text.as_str(), got.asked()), ("Sky", vec![FIRST, FIRST]), "{got:?}");
    assert_eq!(upstream.connections(), 2);
}

/// What a peer does not allow on one connection is sent over another one, and does not wait unseen for its turn.
#[tokio::test(start_paused = true)]
async fn a_limit_on_streams_is_no_silent_model() {
    let upstream = Http2::start(After::Late(1500 * S / 1000)).await;
    let stack = upstream
        .builder()
        .connections(|builder| builder.max_in_flight(8))
        .first_token_timeout(2 * S)
        .build()
        .unwrap();
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let stack = stack.clone();
            tokio::spawn(async move { call(&stack, true, ask()).await })
        })
        .collect();
    for one in calls {
        let got = one.await.unwrap();
        assert!(got.error.is_none(), "{got:?}");
    }
    assert!((4..=5).contains(&upstream.connections()), "{}", upstream.connections());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_replaced_in_time() {
    let upstream = Http2::start(After::Late(Duration::ZERO)).await;
    let stack = upstream
        .builder()
        .connections(|builder| builder.pool_idle_timeout(86_400 * S))
        .build()
        .unwrap();
    for (pause, connections) in [(0, 1), (300, 1), (301, 2), (300, 2), (301, 3)] {
        sleep(pause * S).await;
        assert!(call(&stack, true, ask()).await.error.is_none());
        assert_eq!(upstream.connections(), connections, "after {pause} s more");
    }
}

/// Answers the first request of each connection, keeps it open, and cuts it at the second.
async fn once_only() -> String {
    async fn serve(mut stream: TcpStream) {
        let (mut buffer, mut request) = ([0; 4096], Vec::new());
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            request.extend_from_slice(&buffer[..count]);
            // All of a small request comes with its last brace.
            if request.ends_with(b"}") {
                let length = ANSWER.len();
                sleep(S).await;
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(format!("{head}{ANSWER}").as_bytes()).await.unwrap();
                break;
            }
        }
        drop(stream.read(&mut buffer).await);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url
}

#[tokio::test(start_paused = true)]
async fn ten_stale_connections_cost_no_caller_an_answer() {
    let upstream = Upstream::new(OPENROUTER, &once_only().await, Dialect::OpenRouter).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new(raw::KEY).unwrap())
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .chain([FIRST])
        .build()
        .unwrap();
    let together = || async {
        let calls: Vec<_> = (0..10)
            .map(|_| {
                let stack = stack.clone();
                tokio::spawn(async move { call(&stack, true, ask()).await })
            })
            .collect();
        let mut all = Vec::new();
        for one in calls {
            all.push(one.await.unwrap());
        }
        all
    };
    for got in together().await {
        assert!(got.error.is_none(), "{got:?}");
    }
    // One after another: a retry would find the next of them in the pool.
    for number in 0..10 {
        let got = call(&stack, true, ask()).await;
        assert!(got.error.is_none(), "call {number}: {got:?}");
        assert_eq!(got.lines.len(), 2, "the retry counts as an attempt");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_is_used_and_named() {
    let proxy = Raw::always(vec![
        raw::events(),
        raw::chunk("Sky", "null"),
        raw::chunk("", "\"stop\""),
        raw::done(),
    ])
    .await;
    let address = proxy.url().trim_end_matches("/v1").to_owned();
    let through = |address: &str| {
        let url = address.replace("http://", "http://user:s3cr3t@");
        Stack::builder()
            .upstream(
                Upstream::new(OPENROUTER, "http://upstream.invalid/v1", Dialect::OpenRouter).unwrap(),
                ApiKey::new(raw::KEY).unwrap(),
            )
            .connections(move |builder| builder.proxy(&url))
            .attempts(1)
            .chain([FIRST])
            .build()
            .unwrap()
    };
    let got = call(&through(&address), true, ask()).await;
    assert!(got.error.is_none(), "{got:?}");
    assert!(proxy.seen()[0].starts_with("POST http://upstream.invalid/v1/chat/completions"));

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let got = call(&through(&address), true, ask()).await;
    assert_eq!(got.kind(), Some(FailureKind::Connect));
    let report = got.error.unwrap().report();
    assert!(report.contains(&format!("through the proxy {address}")), "{report}");
    assert!(!report.contains("s3cr3t"), "{report}");
}

#[test]
fn a_proxy_that_cannot_be_used_is_a_problem_of_the_build() {
    let built = Stack::openrouter(ApiKey::new(raw::KEY).unwrap())
        .connections(|builder| builder.proxy("proxy.example:3128").max_in_flight(0))
        .chain([FIRST])
        .build();
    let error = built.unwrap_err().to_string();
    assert!(
        error.contains("`proxy`") && error.contains("`max_in_flight` must be 1 or more"),
        "{error}"
    );
}
