//! The endpoint, in process: what an OpenAI client reads.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_openrouter::{
    ApiKey, ApiRequest, ChatBody, ChatServiceExt, Error, FailureKind, Stack, endpoint::OpenAiEndpoint,
    layers::LayerError,
};

/// What the inner service does with a call.
type Leaf = fn(Request<ApiRequest>) -> Result<ChatBody, Error>;

fn endpoint(leaf: Leaf) -> OpenAiEndpoint<impl tower_openrouter::ChatService> {
    let service = service_fn(
        move |request: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            let result = leaf(request).map(Response::new);
            Box::pin(async move { result })
        },
    );
    Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain(["demo/model"])
        .attempts_per_candidate(1)
        .build_over(service)
        .unwrap()
        .into_openai_endpoint()
}

async fn post(leaf: Leaf, body: impl Into<Bytes>) -> (StatusCode, http::HeaderMap, String) {
    let request = Request::post("/v1/chat/completions")
        .body(Full::new(body.into()))
        .unwrap();
    let (parts, body) = endpoint(leaf).oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    (parts.status, parts.headers, text)
}

const ASK: &str = r#"{"model":"demo/model","messages":[{"role":"user","content":"Hi"}]}"#;
const ASK_STREAM: &str = r#"{"model":"demo/model","stream":true,"messages":[{"role":"user","content":"Hi"}]}"#;
const ANSWER: &str =
    r#"{"id":"gen-1","choices":[{"index":0,"message":{"content":"Oslo."},"finish_reason":"stop"}],"unknown":[1]}"#;

fn answers(_: Request<ApiRequest>) -> Result<ChatBody, Error> {
    Ok(ChatBody::from_plain(Full::from(ANSWER)))
}

const EVENTS: &str = ": hello\n\ndata: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Os\"}}]}\n\n: still here\n\ndata: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

fn streams(_: Request<ApiRequest>) -> Result<ChatBody, Error> {
    Ok(ChatBody::from_event_stream(Full::from(EVENTS)))
}

fn breaks(_: Request<ApiRequest>) -> Result<ChatBody, Error> {
    let cut = EVENTS
        .split("data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo.")
        .next()
        .unwrap();
    Ok(ChatBody::from_event_stream(Full::from(cut)))
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_comes_byte_for_byte_with_what_it_took() {
    let (status, headers, text) = post(answers, ASK).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, ANSWER));
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-llm-attempts"], "1");
    assert_eq!(headers["x-llm-model"], "demo/model");
}

#[tokio::test(start_paused = true)]
async fn a_stream_comes_as_events_and_ends_with_done() {
    let (status, headers, text) = post(streams, ASK_STREAM).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/event-stream");
    // The sign of life before the first word is swallowed; the later one is passed on.
    let passed_on = EVENTS
        .strip_prefix(": hello\n\n")
        .unwrap()
        .replace(": still here", ": keep-alive");
    assert_eq!(text, passed_on);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_ends_with_an_error_and_without_done() {
    let (status, _, text) = post(breaks, ASK_STREAM).await;
    assert_eq!(status, StatusCode::OK, "the answer had begun");
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let error: Value = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    let expected = json!({
        "id": "gen-1", "object": "chat.completion.chunk", "model": "demo/model",
        "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        "error": {
            "message": "the stream was cut before the answer was whole", "type": "api_error", "param": null,
            "code": 502, "metadata": {"error_type": "truncated"},
        },
    });
    let mut told = error.clone();
    let created = told.as_object_mut().unwrap().remove("created");
    assert_eq!(told, expected);
    assert!(created.is_some_and(|created| created.is_u64()));
    assert!(!text.contains("[DONE]"));
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_to_a_wish_for_a_stream_becomes_one_event() {
    let (_, _, text) = post(answers, ASK_STREAM).await;
    let event: Value =
        serde_json::from_str(text.strip_prefix("data: ").unwrap().split("\n\n").next().unwrap()).unwrap();
    assert_eq!(event["choices"][0]["delta"]["content"], "Oslo.");
    assert!(text.ends_with("data: [DONE]\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_not_requested_is_an_error() {
    let (status, _, text) = post(streams, ASK).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(text.contains("streamed an answer to a plain request"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn bad_requests_come_back_in_openais_shape() {
    for (body, param) in [
        ("{\"messages\":", Value::Null),
        ("{\"messages\":[]}", json!("messages")),
        ("[]", Value::Null),
    ] {
        let (status, headers, text) = post(answers, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(headers["content-type"], "application/json");
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"]["type"], "invalid_request_error");
        assert_eq!(error["error"]["param"], param);
        assert!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn too_large_a_body_gets_413_and_another_method_405() {
    let small = endpoint(answers).max_body_bytes(32);
    let request = Request::post("/").body(Full::new(Bytes::from(ASK))).unwrap();
    let response = small.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let request = Request::builder()
        .method(Method::GET)
        .body(Full::new(Bytes::new()))
        .unwrap();
    assert_eq!(
        small.oneshot(request).await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_gets_408() {
    let never = http_body_util::StreamBody::new(stream::pending::<Result<http_body::Frame<Bytes>, Error>>());
    let begun = tokio::time::Instant::now();
    let response = endpoint(answers)
        .oneshot(Request::post("/").body(never).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (response.status(), begun.elapsed()),
        (StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30))
    );
}

/// The status of a call whose body comes in pieces of this size, one each period, and then ends or stalls; and after how many seconds.
async fn sent_slowly(
    endpoint: OpenAiEndpoint<impl tower_openrouter::ChatService>,
    (pieces, size, period): (usize, usize, Duration),
    stalls: bool,
) -> (StatusCode, u64, String) {
    let mut body = ASK.to_owned();
    body.truncate(body.trim_end_matches('}').len());
    body.push_str(",\"user\":\"");
    body.push_str(&"a".repeat(pieces * size - body.len() - 2));
    body.push_str("\"}");
    let pieces: Vec<_> = body
        .as_bytes()
        .chunks(size)
        .map(Bytes::copy_from_slice)
        .take(if stalls { pieces - 1 } else { pieces })
        .collect();
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(period).await;
        Ok::<_, Error>(http_body::Frame::data(piece))
    });
    let body = if stalls {
        pieces.chain(stream::pending()).boxed()
    } else {
        pieces.boxed()
    };
    let begun = tokio::time::Instant::now();
    let request = Request::post("/").body(http_body_util::StreamBody::new(body)).unwrap();
    let response = endpoint.oneshot(request).await.unwrap();
    let (status, took) = (response.status(), begun.elapsed().as_secs());
    let text = response.into_body().collect().await.unwrap().to_bytes();
    (status, took, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_large_body_over_a_slow_line_is_taken_and_one_that_drips_or_stalls_is_not() {
    let second = Duration::from_secs(1);
    // 2 MiB at 8 KiB a second: over four minutes.
    let slow = sent_slowly(endpoint(answers), (256, 8192, second), false).await;
    assert_eq!((slow.0, slow.1), (StatusCode::OK, 256), "{}", slow.2);
    let stalled = sent_slowly(endpoint(answers), (101, 8192, second), true).await;
    assert_eq!((stalled.0, stalled.1), (StatusCode::REQUEST_TIMEOUT, 100 + 30));
    assert!(
        stalled.2.contains("nothing of the request body came in 30s"),
        "{}",
        stalled.2
    );
    let dripping = sent_slowly(endpoint(answers), (4000, 1, second), false).await;
    assert_eq!((dripping.0, dripping.1), (StatusCode::REQUEST_TIMEOUT, 30));
    assert!(dripping.2.contains("less than 4096 bytes per second"), "{}", dripping.2);
    // Both limits can be set.
    let hasty = endpoint(answers).body_timeout(5 * second).min_body_rate(0);
    let dripping = sent_slowly(hasty.clone(), (400, 1, second), false).await;
    assert_eq!((dripping.0, dripping.1), (StatusCode::OK, 400), "{}", dripping.2);
    let stalled = sent_slowly(hasty, (400, 1, second), true).await;
    assert_eq!((stalled.0, stalled.1), (StatusCode::REQUEST_TIMEOUT, 399 + 5));
    let endless = endpoint(answers).body_timeout(Duration::MAX);
    let slow = sent_slowly(endless, (400, 1, second), false).await;
    assert_eq!((slow.0, slow.1), (StatusCode::OK, 400), "{}", slow.2);
}

#[tokio::test(start_paused = true)]
async fn failures_say_what_a_client_can_act_on() {
    let throttled: Leaf = |_| {
        let wait = LayerError::NoKey {
            upstream: "openrouter".to_owned(),
            reason: "resting".to_owned(),
            retry_after: Some(Duration::from_millis(1500)),
        };
        Err(wait.into())
    };
    let (status, headers, text) = post(throttled, ASK).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(headers["retry-after"], "2", "rounded up");
    assert_eq!(headers["x-should-retry"], "false");
    assert_eq!(headers["x-llm-attempts"], "1");
    assert!(!text.contains("s3cr3t"));
    let table: [(Leaf, u16, &str); 6] = [
        // Our own key or balance is not the client's mistake.
        (|_| Err(Error::new(FailureKind::Auth, "rejected")), 502, "upstream_auth"),
        (
            |_| Err(Error::new(FailureKind::InsufficientFunds, "empty")),
            503,
            "upstream_unaffordable",
        ),
        (
            |_| Err(Error::new(FailureKind::NoEndpoint, "unknown model")),
            404,
            "model_not_found",
        ),
        (
            |_| Err(Error::new(FailureKind::ContextLengthExceeded, "long")),
            400,
            "context_length_exceeded",
        ),
        (
            |_| Err(Error::new(FailureKind::Overloaded, "busy")),
            503,
            "upstream_overloaded",
        ),
        (|_| Err(Error::new(FailureKind::Reset, "broke")), 502, "reset"),
    ];
    for (leaf, status, code) in table {
        let (got, _, text) = post(leaf, ASK).await;
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((got.as_u16(), error["error"]["code"].as_str()), (status, Some(code)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_clients_key_and_cookies_stop_here() {
    let looks: Leaf = |request| {
        assert_eq!(request.headers()["authorization"], "Bearer sk-or-v1-s3cr3t");
        assert!(request.headers()["authorization"].is_sensitive());
        assert!(!request.headers().contains_key("cookie"));
        assert_eq!(request.headers()["x-session-id"], "s-1");
        answers(request)
    };
    let request = Request::post("/")
        .header("authorization", "Bearer client-key")
        .header("cookie", "a=b")
        .header("x-session-id", "s-1")
        .body(Full::new(Bytes::from(ASK)))
        .unwrap();
    assert_eq!(endpoint(looks).oneshot(request).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_clients_deadline_counts() {
    let request = |value: &str| {
        Request::post("/")
            .header("x-request-timeout-ms", value)
            .body(Full::new(Bytes::from(ASK)))
            .unwrap()
    };
    let hangs: Leaf = |_| {
        Ok(ChatBody::from_plain(http_body_util::StreamBody::new(
            stream::pending::<Result<http_body::Frame<Bytes>, Error>>(),
        )))
    };
    let begun = tokio::time::Instant::now();
    let response = endpoint(hangs).oneshot(request("2500")).await.unwrap();
    assert_eq!(
        (response.status(), begun.elapsed()),
        (StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(2500))
    );
    let response = endpoint(answers).oneshot(request("soon")).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}
