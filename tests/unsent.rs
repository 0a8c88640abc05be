//! An attempt that ended while it waited for a connection was not sent: no entry, no cost, and no attempt anywhere. On real sockets.

use std::{sync::Arc, time::Duration};

use crate::support::{
    FIRST, World, ask, call,
    ledger::Kept,
    mounted::{post, send},
    prices::usd,
    raw,
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::{io::AsyncReadExt, net::TcpListener, time::timeout};
use tower::ServiceExt;
use tower_openrouter::{
    ApiKey, ChatServiceExt, FailureKind as K, Outcome, Phase, Stack,
    layers::{
        WorstCasePrice,
        budget::{Budget, Budgets, InMemoryBudgetStore},
        cost::UnknownPrice,
        ledger::EntryOutcome,
        retry::Exponential,
    },
    stack::StackBuilder,
    transport::{Dialect, OPENROUTER, TransportBuilder, Upstream},
};

/// A stack under a budget, and what it recorded.
struct Shop {
    stack: Stack,
    book: InMemoryBudgetStore,
    kept: Arc<Kept>,
}

impl Shop {
    fn over(url: &str, change: impl FnOnce(StackBuilder) -> StackBuilder) -> Self {
        let (kept, book) = (Kept::new(), InMemoryBudgetStore::new());
        let budgets = Budgets::in_store([Budget::usd("all", "1").unwrap()], Arc::new(book.clone())).unwrap();
        let price = WorstCasePrice::new()
            .prompt_token(usd("0.000001"))
            .answer_token(usd("0.000001"))
            .max_answer(Some(100));
        let upstream = Upstream::new(OPENROUTER, url, Dialect::OpenRouter).unwrap();
        let builder = Stack::builder()
            .upstream(upstream, ApiKey::new(raw::KEY).unwrap())
            .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
            .attempts_per_candidate(1)
            .budgets(budgets)
            .unknown_price(UnknownPrice::Assume(price))
            .ledger(kept.clone())
            .chain([FIRST]);
        let stack = change(builder).build().unwrap();
        Self { stack, book, kept }
    }

    /// No entry, and nothing of the budget is spent or reserved.
    fn assert_untouched(&self, what: &str) {
        assert_eq!(self.kept.entries().len(), 0, "{what}: {:?}", self.kept.entries());
        for account in self.book.accounts() {
            assert_eq!((account.settled, account.reserved), (usd("0"), usd("0")), "{what}");
        }
    }
}

/// An upstream that accepts connections, reads, and never writes: no TLS session is ever had with it.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {}
            });
        }
    });
    address.to_string()
}

/// Each way in which an attempt ends while its connection is being made: the caller leaves, a deadline, a timeout of the attempt.
async fn nothing_is_recorded(url: &str) {
    let second = Duration::from_secs(1);
    for streamed in [true, false] {
        let shop = Shop::over(url, |builder| builder);
        let left = timeout(second, call(&shop.stack, streamed, ask())).await;
        assert!(left.is_err());
        shop.assert_untouched("the caller leaves");

        let shop = Shop::over(url, |builder| builder.deadline(second));
        let got = call(&shop.stack, streamed, ask()).await;
        assert_eq!(got.kind(), Some(K::Timeout(Phase::Deadline)), "{got:?}");
        shop.assert_untouched("a deadline");
        let [line] = &got.lines[..] else {
            unreachable!("{got:?}")
        };
        assert_eq!((line.outcome, line.is_sent, line.cost), (Outcome::Dropped, false, None));

        let shop = Shop::over(url, |builder| {
            let builder = builder.first_token_timeout(second).response_timeout(second);
            builder.last_candidate_grace(Duration::ZERO)
        });
        let got = call(&shop.stack, streamed, ask()).await;
        let phase = if streamed { Phase::FirstToken } else { Phase::Response };
        assert_eq!(got.kind(), Some(K::Timeout(phase)), "{got:?}");
        shop.assert_untouched("a timeout of the attempt");
        assert!(got.lines.iter().all(|line| !line.is_sent), "{got:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_in_the_tls_handshake_was_not_sent() {
    nothing_is_recorded(&format!("https://{}/v1", silent().await)).await;
}

/// The kernel drops what would open another connection: the dial hangs.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_before_a_full_accept_queue_was_not_sent() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // The sockets' own clock is the real one.
    let dial = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let mut idle = Vec::new();
    while let Ok(stream) = dial() {
        idle.push(stream);
        assert!(idle.len() < 64, "the queue has no end");
    }
    nothing_is_recorded(&format!("http://{address}/v1")).await;
    drop((idle, listener));
}

/// The endpoint says so too, for a deadline of the client's own.
#[tokio::test(start_paused = true)]
async fn a_client_that_is_impatient_while_no_connection_is_had_costs_nothing() {
    let shop = Shop::over(&format!("https://{}/v1", silent().await), |builder| builder);
    let body = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = Request::post("/")
        .header("x-request-timeout-ms", "500")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let endpoint = shop.stack.clone().into_openai_endpoint();
    let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    assert_eq!(parts.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(parts.headers["x-llm-attempts"], "0");
    shop.assert_untouched("a deadline of the client");
}

/// Whatever a deadline of a millisecond meets: what the upstream saw has an entry, and what has an entry counts as sent.
#[tokio::test]
async fn a_deadline_of_a_millisecond_costs_only_what_was_sent() {
    let world = World::new("hang").await;
    let shop = Shop::over(&world.simulator.base_url(), |builder| {
        builder.deadline(Duration::from_millis(1))
    });
    let mut sent = 0;
    for number in 0..40 {
        let got = call(&shop.stack, number % 2 == 0, ask()).await;
        assert!(got.error.is_some(), "{got:?}");
        sent += got.lines.iter().filter(|line| line.is_sent).count();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(shop.kept.entries().len(), sent);
    let seen = world.simulator.report().attempts.len();
    assert!(seen <= sent, "{seen} seen, {sent} counted");
}

/// A request that was written counts as before: HTTP/1 and HTTP/2, streamed and plain.
#[tokio::test(start_paused = true)]
async fn an_attempt_whose_request_was_written_counts_as_sent() {
    let url = format!("http://{}/v1", silent().await);
    for over_http2 in [false, true] {
        for streamed in [true, false] {
            let shop = Shop::over(&url, |builder| {
                if over_http2 {
                    return builder.connections(TransportBuilder::http2_prior_knowledge);
                }
                builder
            });
            let left = timeout(Duration::from_secs(1), call(&shop.stack, streamed, ask())).await;
            assert!(left.is_err());
            let what = format!("HTTP/2: {over_http2}, streamed: {streamed}");
            let entries = shop.kept.entries();
            assert_eq!(entries.len(), 1, "{what}");
            assert_eq!(entries[0].outcome, EntryOutcome::Dropped, "{what}");
            assert!(entries[0].cost() > usd("0"), "{what}: {entries:?}");
        }
    }
}

/// An upstream that refuses the connection is an attempt that failed: it counts, and costs nothing.
#[tokio::test(start_paused = true)]
async fn an_upstream_that_cannot_be_reached_is_an_attempt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let shop = Shop::over(&url, |builder| builder);
    let got = call(&shop.stack, true, ask()).await;
    assert_eq!(got.kind(), Some(K::Connect), "{got:?}");
    let [line] = &got.lines[..] else {
        unreachable!("{got:?}")
    };
    assert!(line.is_sent);
    let entries = shop.kept.entries();
    assert_eq!((entries.len(), entries[0].cost()), (1, usd("0")));
}

/// The length of the body is reported, and not one byte of it is lost.
#[tokio::test(start_paused = true)]
async fn a_request_goes_out_with_its_length() {
    let raw = raw::Raw::always(vec![]).await;
    for streamed in [true, false] {
        let got = call(&raw.alone(), streamed, ask()).await;
        assert!(got.error.is_some());
    }
    assert!(!raw.seen().is_empty());
    for seen in raw.seen() {
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}

/// Nor was a request that the transport itself refuses, since its upstream takes no such request.
#[tokio::test(start_paused = true)]
async fn a_request_that_its_upstream_never_takes_was_not_sent() {
    let raw = raw::Raw::always(vec![]).await;
    for field in ["previous_response_id", "conversation"] {
        for streamed in [true, false] {
            let shop = Shop::over(raw.url(), |builder| builder);
            let body = format!(r#"{{"stream":{streamed},"input":"Hi","{field}":"resp_1"}}"#);
            let endpoints = shop.stack.clone().into_endpoints();
            let (parts, text) = send(endpoints, post("/v1/responses", body)).await;
            assert_eq!(parts.status, StatusCode::BAD_REQUEST, "{text}");
            assert!(text.contains(field), "{text}");
            assert_eq!(parts.headers["x-llm-attempts"], "0", "{text}");
            shop.assert_untouched(field);
        }
    }
    assert_eq!(raw.seen().len(), 0);
}
