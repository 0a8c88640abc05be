//! The plain transport: what it takes, what it gives, and what it adds nothing to.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{Method, Request, StatusCode};
use reqwest::Body;
use serde_json::json;
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_openrouter::{
    ChatServiceExt,
    endpoint::{ATTEMPTS_HEADER, Envelope, MODEL_HEADER},
};
use tower_openrouter_adapters::ReqwestTransport;

use crate::support::{RESCUED, SECOND, WORDS, ask, ask_streamed, calls, left, parsed, rescued, world};

const CHAT: &str = "https://api.openai.com/v1/chat/completions";

fn post(url: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(url).body(body.into()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued() {
    let (simulator, stack) = rescued().await;
    let response = ReqwestTransport::new(stack).oneshot(post(CHAT, ask())).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.url().as_str(), CHAT);
    assert_eq!(response.headers()[MODEL_HEADER], SECOND);
    assert_eq!(response.headers()[ATTEMPTS_HEADER], "2");
    let answer = parsed(&response.text().await.unwrap());
    assert_eq!(answer["choices"][0]["message"]["content"], RESCUED);
    assert_eq!(calls(&simulator), 2);
}

#[tokio::test(start_paused = true)]
async fn events_come_as_they_are_generated() {
    let (_simulator, stack) = world("words=9;stall=20s@4", "ok").await;
    let begun = Instant::now();
    let response = ReqwestTransport::new(stack)
        .oneshot(post(CHAT, ask_streamed()))
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut pieces = response.bytes_stream();
    let first = pieces.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: "), "{first:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let mut all = first.to_vec();
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    assert!(begun.elapsed() >= Duration::from_secs(20));
    assert!(all.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_request_body_may_come_in_pieces() {
    let (simulator, stack) = world("ok", "ok").await;
    let pieces: Vec<_> = ask().into_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let body = Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>)));
    let response = ReqwestTransport::new(stack).oneshot(post(CHAT, body)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let sent = parsed(std::str::from_utf8(&simulator.report().attempts[0].body).unwrap());
    assert_eq!(sent["messages"], parsed(&ask())["messages"]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_closes_the_connection_upstream() {
    let (simulator, stack) = world("words=900;delay=1s", "ok").await;
    let response = ReqwestTransport::new(stack)
        .oneshot(post(CHAT, ask_streamed()))
        .await
        .unwrap();
    let mut pieces = response.bytes_stream();
    pieces.next().await.unwrap().unwrap();
    drop(pieces);
    left(&simulator).await;
    assert!(simulator.report().attempts[0].pieces < 30);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_call_closes_the_connection_upstream() {
    let (simulator, stack) = world("hang", "ok").await;
    let call = ReqwestTransport::new(stack).oneshot(post(CHAT, ask()));
    assert!(tokio::time::timeout(Duration::from_millis(500), call).await.is_err());
    left(&simulator).await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_stream_ends_with_the_event_that_clients_raise() {
    let (_simulator, stack) = world("words=9;cut@4", "ok").await;
    let response = ReqwestTransport::new(stack)
        .oneshot(post(CHAT, ask_streamed()))
        .await
        .unwrap();
    let text = response.text().await.unwrap();
    let events: Vec<_> = text
        .split("\n\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    let said: String = events
        .iter()
        .filter_map(|event| {
            parsed(event)["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(said.trim_end(), WORDS);
    let last = parsed(events.last().unwrap());
    assert_eq!(
        (&last["error"]["code"], &last["choices"][0]["finish_reason"]),
        (&json!(502), &json!("error"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_path_names_the_call_and_the_envelope() {
    let (simulator, stack) = world("400", "400").await;
    let transport = ReqwestTransport::new(stack);
    for (url, forced, code) in [
        (
            "https://gateway.test/openai/v1/chat/completions",
            None,
            json!("invalid_request"),
        ),
        ("https://openrouter.ai/api/v1/chat/completions", None, json!(400)),
        ("https://gateway.test/chat/completions", None, json!("invalid_request")),
        ("/v1/chat/completions", None, json!("invalid_request")),
        (CHAT, Some(Envelope::OpenRouter), json!(400)),
        (
            "https://openrouter.ai/api/v1/chat/completions",
            Some(Envelope::OpenAi),
            json!("invalid_request"),
        ),
    ] {
        let transport = match forced {
            Some(envelope) => transport.clone().envelope(envelope),
            None => transport.clone(),
        };
        let response = transport.oneshot(post(url, ask())).await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{url}");
        assert_eq!(parsed(&response.text().await.unwrap())["error"]["code"], code, "{url}");
    }
    assert!(calls(&simulator) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_none_of_the_stacks_is_404_and_nothing_is_sent() {
    let (simulator, stack) = world("ok", "ok").await;
    let transport = ReqwestTransport::new(stack);
    for path in [
        "/v1/images/generations",
        "/v1/threads/t/messages",
        "/v1/",
        "/",
        "/api/v1/key",
    ] {
        let response = transport
            .clone()
            .oneshot(post(&format!("https://api.openai.com{path}"), "{}"))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let told = response.text().await.unwrap();
        assert!(
            told.contains("no API has this path: use /v1/chat/completions"),
            "{told}"
        );
    }
    let head = Request::builder()
        .method(Method::HEAD)
        .uri("https://api.openai.com/v1/models");
    let response = transport.oneshot(head.body(Body::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(simulator.report().attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_clients_key_is_never_sent() {
    let (simulator, stack) = world("ok", "ok").await;
    let mut request = post(CHAT, ask());
    let secret = "Bearer sk-of-the-client".parse().unwrap();
    request.headers_mut().insert("authorization", secret);
    ReqwestTransport::new(stack).oneshot(request).await.unwrap();
    let sent = format!("{:?}", simulator.report().attempts[0]);
    assert!(
        !sent.contains("of-the-client") && sent.contains("authorization"),
        "{sent}"
    );
}

#[tokio::test(start_paused = true)]
async fn layers_around_the_endpoints_see_each_call() {
    let (simulator, stack) = world("ok", "ok").await;
    let endpoints = ServiceBuilder::new()
        .map_request(|mut request: Request<Body>| {
            request.headers_mut().insert("x-session-id", "s-1".parse().unwrap());
            request
        })
        .service(stack.into_endpoints());
    ReqwestTransport::over(endpoints)
        .oneshot(post(CHAT, ask()))
        .await
        .unwrap();
    assert_eq!(simulator.report().attempts[0].header("x-session-id"), Some("s-1"));
}

#[tokio::test]
async fn a_failure_of_a_layer_is_given_as_it_is() {
    let failing =
        service_fn(|_: Request<Body>| async { Err::<http::Response<Body>, _>(std::io::Error::other("full")) });
    let mut transport = ReqwestTransport::over(failing);
    let error = transport
        .ready()
        .await
        .unwrap()
        .call(post(CHAT, ask()))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "full");
}
