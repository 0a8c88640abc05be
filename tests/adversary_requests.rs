//! Requests written so that a layer and the upstream might read them differently.

use crate::support::{
    FIRST, SECOND,
    raw::{KEY, Raw, Step, chunk, done, events, head, json, send},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;
use tower_openrouter::{ChatRequest, ChatServiceExt, FailureKind};

const PLAIN: &str = r#"{"choices":[{"index":0,"message":{"content":"Sky"},"finish_reason":"stop"}]}"#;

fn whole() -> Vec<Step> {
    vec![json(), send(PLAIN)]
}

async fn post(raw: &Raw, headers: &[(&str, &[u8])], body: impl Into<Bytes>) -> (u16, String) {
    let mut request = Request::post("/").body(Full::new(body.into())).unwrap();
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request
            .headers_mut()
            .append(name, http::HeaderValue::from_bytes(value).unwrap());
    }
    let endpoint = raw.pair().into_openai_endpoint();
    let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    (parts.status.as_u16(), text)
}

/// What the upstream reads of a request, by a parser for which the last of two equal keys counts.
fn sent(request: &str) -> (String, Value) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), serde_json::from_str(body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_doubled_or_disguised_key_is_read_as_the_upstream_reads_it() {
    let raw = Raw::start(|request| {
        if request.contains("x/last") {
            vec![head("503 Service Unavailable", "text/plain")]
        } else {
            whole()
        }
    })
    .await;
    for model in [
        r#""model":"x/first","model":"x/last""#,
        r#""model":"x/first","mod\u0065l":"x/last""#,
    ] {
        let (status, text) = post(
            &raw,
            &[],
            format!(r#"{{{model},"messages":[{{"role":"user","content":"Hi"}}]}}"#),
        )
        .await;
        assert_eq!(status, 200, "{text}");
        let seen = raw.seen();
        let [.., first, second] = &seen[..] else { unreachable!() };
        assert_eq!(sent(first).1["model"], "x/last", "{first}");
        // The next candidate's name is the only one left.
        assert_eq!(sent(second).1["model"], FIRST, "{second}");
        assert!(!second.contains("x/first") && !second.contains("x/last"), "{second}");
    }
    for (stream, streams) in [
        (r#""stream":true,"stream":false"#, false),
        (r#""stream":false,"str\u0065am":true"#, true),
        (r#""stream":null"#, false),
    ] {
        let body = format!(r#"{{{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        let request = ChatRequest::from_json(Bytes::from(body)).unwrap();
        assert_eq!(request.is_streaming(), streams, "{stream}");
    }
    // What one might read as `true` and another as `false`.
    for stream in ["1", "\"true\"", "[]"] {
        let body = format!(r#"{{"stream":{stream},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
        assert!(ChatRequest::from_json(Bytes::from(body)).is_err(), "{stream}");
    }
}

#[test]
fn a_limit_on_tokens_leaves_no_larger_one_behind() {
    for body in [
        r#"{"max_tokens":1,"max_tokens":9000,"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"max_tokens":1,"max\u005ftokens":9000,"max_completion_tokens":9000,"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"max_tokens":1e999,"messages":[{"role":"user","content":"Hi"}]}"#,
        r#"{"max_tokens":-1,"messages":[{"role":"user","content":"Hi"}]}"#,
    ] {
        let Ok(mut request) = ChatRequest::from_json(Bytes::from(body)) else {
            continue;
        };
        request.set_max_tokens(64);
        let sent: Vec<u8> = request.document().segments().flatten().collect();
        let text = String::from_utf8(sent).unwrap();
        assert!(
            !text.contains("9000") && !text.contains("e999") && !text.contains("-1"),
            "{text}"
        );
        assert_eq!(request.read_max_tokens(), Some(64));
    }
}

/// Answered with 400, and never sent.
#[tokio::test(start_paused = true)]
async fn what_is_no_request_stays_here() {
    let raw = Raw::always(whole()).await;
    let bombs = [
        "[".repeat(1 << 20),
        format!("{{\"messages\":{}", "[".repeat(1 << 20)),
        "{\"a\":".repeat(1 << 18),
    ];
    let mut bodies: Vec<Bytes> = bombs.into_iter().map(Bytes::from).collect();
    bodies.extend(
        [
            &b""[..],
            b" ",
            b"null",
            b"1",
            b"\"text\"",
            b"[]",
            b"\xef\xbb\xbf\xef\xbb\xbf{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"\0\"}]}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}\0",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}{}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"seed\":NaN}",
            b"{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"seed\":01}",
        ]
        .map(Bytes::from),
    );
    for body in bodies {
        let start = body.slice(..body.len().min(80));
        let (status, text) = post(&raw, &[], body).await;
        assert_eq!(status, 400, "{start:?}: {text}");
    }
    assert!(raw.seen().is_empty());
}

/// Odd, but JSON: it goes out byte for byte.
#[tokio::test(start_paused = true)]
async fn what_is_odd_but_json_goes_out_as_it_came() {
    let raw = Raw::always(whole()).await;
    for extra in [
        r#""a":1e999"#,
        r#""a":"\ud800""#,
        r#""a":"\u0000""#,
        r#""":{"":-0.0E+0}"#,
        "\"a\" : [ ]\t",
    ] {
        let body = format!(r#" {{"model":"{SECOND}", {extra},"messages":[{{"role":"user","content":"Hi"}}]}} "#);
        let (status, text) = post(&raw, &[], body.clone()).await;
        assert_eq!(status, 200, "{text}");
        let last = raw.seen().pop().unwrap();
        assert_eq!(last.split_once("\r\n\r\n").unwrap().1, body);
    }
}

/// A client's headers: its key, its cookies and those of its connection stop here.
#[tokio::test(start_paused = true)]
async fn a_clients_headers_do_not_slip_through() {
    let raw = Raw::always(vec![events(), chunk("Sky", "\"stop\""), done()]).await;
    let headers: [(&str, &[u8]); 12] = [
        ("authorization", b"Bearer client"),
        ("authorization", b"Bearer client-again"),
        ("proxy-authorization", b"Basic client"),
        ("cookie", b"client=1"),
        ("x-api-key", b"client"),
        ("host", b"client"),
        ("connection", b"x-session-id, close"),
        ("transfer-encoding", b"chunked"),
        ("content-length", b"1"),
        ("expect", b"100-continue"),
        ("accept-encoding", b"gzip, client"),
        ("x-session-id", b"caf\xe9\tclient"),
    ];
    let body = r#"{"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (status, text) = post(&raw, &headers, body).await;
    assert_eq!(status, 200, "{text}");
    let (head, _) = sent(raw.seen().last().unwrap());
    assert_eq!(head.matches("authorization:").count(), 1, "{head}");
    assert!(head.contains(&format!("bearer {KEY}")), "{head}");
    assert_eq!(head.matches("client").count(), 1, "only in the session: {head}");
    assert!(head.contains("\r\naccept-encoding: gzip, deflate\r\n"), "{head}");
    for name in ["expect", "transfer-encoding", "cookie", "x-api-key"] {
        assert!(!head.contains(&format!("\r\n{name}:")), "{name}: {head}");
    }
}

/// A deadline that is no time, or a silly one.
#[tokio::test(start_paused = true)]
async fn a_silly_deadline_is_refused_or_shortens() {
    let raw = Raw::always(whole()).await;
    let body = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    for value in [
        "-1",
        "+5",
        "1e3",
        "",
        " ",
        "99999999999999999999999",
        "0x10",
        "1.2.3",
        "\u{e9}",
        "NaN",
        "inf",
    ] {
        let (status, text) = post(&raw, &[("x-request-timeout-ms", value.as_bytes())], body).await;
        assert_eq!(status, 400, "{value}: {text}");
    }
    assert!(raw.seen().is_empty());
    for (value, status) in [("0", 504), ("0.0000001ms", 504), ("604800s", 200)] {
        let (got, text) = post(&raw, &[("x-request-timeout-ms", value.as_bytes())], body).await;
        assert_eq!(got, status, "{value}: {text}");
    }
    assert_eq!(raw.seen().len(), 1);
}

/// By the typed door, at which no JSON is checked: refused as by the other, and kept by no table of the stack.
#[tokio::test(start_paused = true)]
async fn a_typed_model_that_is_no_name_is_refused_and_kept_nowhere() {
    let raw = Raw::always(whole()).await;
    let stack = raw.pair();
    for number in 0..400 {
        let model = if number % 4 == 0 {
            format!("acme/\u{1b}[31m{number}")
        } else {
            format!("acme/{number}{}", "m".repeat(256 * 1024))
        };
        let error = stack.complete(ChatRequest::user("Hi").model(&model)).await.unwrap_err();
        assert_eq!(error.kind(), FailureKind::BadRequest, "{number}");
        let text = error.to_string();
        assert!(text.contains("`model`") && text.len() < 400, "{number}: {text:.400}");
        assert!(!text.contains("name a model"), "{number}: {text}");
    }
    assert!(raw.seen().is_empty(), "nothing was sent");
    assert_eq!(stack.circuits().unwrap().reports().len(), 0);
    assert_eq!(stack.pauses().reports().len(), 0);
}
