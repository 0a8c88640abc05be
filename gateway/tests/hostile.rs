//! Clients that send nonsense, or nothing.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, interval},
};

use crate::support::{CLIENT_KEY, OTHER_KEY, Place, Said, key, raw, streamed};

/// Short, so that the tests need not wait for long; no test measures how long it takes.
const SHORT: &str = "server.header_timeout = \"200ms\"\nserver.body_timeout = \"400ms\"\nserver.idle_timeout = \"300ms\"\nserver.write_timeout = \"500ms\"\n";

fn head(headers: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {CLIENT_KEY}\r\n{headers}\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_too_large_or_make_no_sense_are_refused_and_the_gateway_stays() {
    let place = Place::start(&("server.body_timeout = \"400ms\"\n".to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    let many: String = (0..200).map(|number| format!("x-{number}: a\r\n")).collect();
    for (what, headers, status) in [
        ("too many headers", many, "431"),
        (
            "a header that is too large",
            format!("x: {}\r\n", "a".repeat(200_000)),
            "431",
        ),
        (
            "two lengths",
            "content-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_owned(),
            "400",
        ),
        (
            "a length and chunks",
            "content-length: 2\r\ntransfer-encoding: chunked\r\n".to_owned(),
            "400",
        ),
        ("no length", "content-length: x\r\n".to_owned(), "400"),
        ("a negative length", "content-length: -1\r\n".to_owned(), "400"),
        ("an odd encoding", "transfer-encoding: rot13\r\n".to_owned(), "400"),
    ] {
        let answer = raw(place.running.address, head(&headers).as_bytes()).await;
        if what == "a length and chunks" {
            // Chunks count, and there are none: the body is not complete.
            assert!(!answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
        } else {
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        }
    }
    for (what, bytes) in [
        ("another protocol", &b"SSH-2.0-OpenSSH_9.6\r\n"[..]),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("zeros", &[0; 100]),
        (
            "half a preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\nnonsense-that-is-no-frame-at-all",
        ),
    ] {
        assert!(
            !raw(place.running.address, bytes).await.starts_with("HTTP/1.1 200"),
            "{what}"
        );
    }
    let uri = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000));
    let answer = raw(place.running.address, uri.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(place.get("/healthz", "").await.status, 200);
    assert!(
        place.simulator.report().chats().next().is_none(),
        "nothing went upstream"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends_a_silent_connection_and_an_idle_one_are_closed() {
    let place = Place::start(&(SHORT.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    // Nothing at all, half a head, and a head of which a byte comes from time to time.
    assert_eq!(raw(place.running.address, b"").await, "");
    let answer = raw(
        place.running.address,
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n",
    )
    .await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let mut slow = TcpStream::connect(place.running.address).await.unwrap();
    let mut pace = interval(Duration::from_millis(20));
    slow.write_all(b"GET /healthz HTTP/1.1\r\nx: ").await.unwrap();
    let mut is_closed = false;
    // A minute at most.
    for _ in 0..3_000 {
        pace.tick().await;
        is_closed = slow.write_all(b"a").await.is_err();
        if is_closed {
            break;
        }
    }
    assert!(is_closed, "a head of which a byte comes from time to time is taken");
    // One request, then nothing: the connection is kept, and then closed.
    let mut idle = TcpStream::connect(place.running.address).await.unwrap();
    for _ in 0..2 {
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 15];
        idle.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        let mut rest = [0; 4096];
        assert!(idle.read(&mut rest).await.unwrap() > 0);
    }
    let mut rest = Vec::new();
    drop(idle.read_to_end(&mut rest).await);
    assert_eq!(place.get("/healthz", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_nothing_is_given_up_and_its_call_closed() {
    let place = Place::start(&(SHORT.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    place.simulator.plan("demo/model", "words=100000").unwrap();
    let body = r#"{"model":"demo/model","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = head(&format!(
        "content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    )) + body;
    let mut client = TcpStream::connect(place.running.address).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    // It waits until the upstream's connection is closed.
    let seen = place
        .simulator
        .wait_until(|seen| seen.chats().next().is_some() && seen.idle())
        .await;
    assert_eq!(seen.closed_by_client, 1, "{:?}", seen.attempts.last());
    drop(client);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let place = Place::start(&format!("server.max_connections = 2\n{}", key("acme", CLIENT_KEY, ""))).await;
    let one = TcpStream::connect(place.running.address).await.unwrap();
    let two = TcpStream::connect(place.running.address).await.unwrap();
    let url = place.url("/healthz");
    let third = tokio::spawn(async move { Said::of(crate::support::client().get(url)).await.status });
    drop(one);
    assert_eq!(third.await.unwrap(), 200);
    drop(two);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_without_tls_is_spoken() {
    let place = Place::start(&key("acme", CLIENT_KEY, "")).await;
    let http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let request = crate::support::post(
        &http,
        &place.url("/v1/chat/completions"),
        CLIENT_KEY,
        &streamed("demo/model", 50),
    );
    let response = request.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, http::Version::HTTP_2)
    );
    assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_gives_no_window_is_given_up() {
    let place = Place::start(&(SHORT.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    let mut client = TcpStream::connect(place.running.address).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE of 0, then `GET /healthz`, which needs no key.
    bytes.extend(frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]));
    let head = [&b"\x82\x86\x04\x08/healthz\x01\x09127.0.0.1"[..]].concat();
    bytes.extend(frame(1, 5, 1, &head));
    client.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    // Sooner than the pings of HTTP/2 would end it, which such a client can answer.
    let closed = tokio::time::timeout(Duration::from_secs(15), client.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the connection is still open: {answer:?}");
    assert!(answer.len() > 20, "the head of the response came: {answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_which_nothing_comes_gets_408() {
    let place = Place::start(&(SHORT.to_owned() + &key("acme", CLIENT_KEY, ""))).await;
    let request = head("content-type: application/json\r\ncontent-length: 100\r\n");
    let answer = raw(place.running.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("nothing of the request body came in 400ms"), "{answer}");
}

/// A connection whose client announces a body of 64 KiB under this key and waits for `100 Continue`; and the status that it gets.
async fn announced(place: &Place, key: &str) -> (TcpStream, String) {
    let head = head("content-type: application/json\r\ncontent-length: 65536\r\nexpect: 100-continue\r\n");
    let mut stream = TcpStream::connect(place.running.address).await.unwrap();
    stream
        .write_all(head.replace(CLIENT_KEY, key).as_bytes())
        .await
        .unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8_lossy(&status).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_announces_many_bodies_leaves_room_for_other_keys() {
    let limits = "server.max_body_bytes = 65536\nserver.max_total_body_bytes = 1048576\n";
    let keys = key("acme", CLIENT_KEY, "") + &key("other", OTHER_KEY, "");
    let place = Place::start(&(limits.to_owned() + &keys)).await;
    let mut held = Vec::new();
    for number in 0..4 {
        let (stream, status) = announced(&place, CLIENT_KEY).await;
        assert_eq!(status, "HTTP/1.1 100", "{number}");
        held.push(stream);
    }
    assert_eq!(announced(&place, CLIENT_KEY).await.1, "HTTP/1.1 503");
    assert_eq!(announced(&place, OTHER_KEY).await.1, "HTTP/1.1 100");
    drop(held);
    // The server sees the end of a connection a moment later.
    let is_read = async || announced(&place, CLIENT_KEY).await.1 == "HTTP/1.1 100";
    crate::support::until("room for the key", is_read).await;
}
