//! Upstreams that give the key away: echoed, redirected, logged.

use std::{error::Error as StdError, sync::atomic::Ordering};

use crate::support::{
    ask, call,
    raw::{KEY, Raw, chunk, done, echoes, json, send},
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_openrouter::{Account, ApiKey, ChatServiceExt, transport::Transport};

/// Everything that an error says to anyone.
fn said(error: &tower_openrouter::Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?} {}", error.report());
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} {cause} {cause:?}");
        source = cause.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn an_echoed_key_is_in_no_error_and_no_answer_of_the_endpoint() {
    let (raw, turn) = Raw::in_turn(echoes()).await;
    let stack = raw.alone();
    let transport = Transport::builder().upstream(raw.upstream()).build().unwrap();
    let account = Account::new(transport, raw.upstream(), Some(ApiKey::new(KEY).unwrap()));
    for (number, steps) in echoes().into_iter().enumerate() {
        turn.store(number, Ordering::Relaxed);
        for streamed in [true, false] {
            let got = call(&stack, streamed, ask()).await;
            let error = got.error.unwrap();
            let text = format!("{} {:?}", said(&error), got.lines);
            assert!(!text.contains("s3cr3"), "{steps:?}: {text}");

            let body = format!(r#"{{"stream":{streamed},"messages":[{{"role":"user","content":"Hi"}}]}}"#);
            let endpoint = stack.clone().into_openai_endpoint();
            let request = Request::post("/").body(Full::new(Bytes::from(body))).unwrap();
            let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
            let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
            assert!(!format!("{parts:?} {text}").contains("s3cr3"), "{parts:?} {text}");
        }
        let error = account.key().await.unwrap_err();
        assert!(!said(&error).contains("s3cr3"), "{steps:?}: {}", said(&error));
    }
    assert!(raw.seen().iter().all(|request| request.contains(KEY)), "it was sent");
}

/// An answer's head is shown to everyone who prints it.
#[tokio::test(start_paused = true)]
async fn an_echoed_key_is_in_no_head_of_an_answer() {
    let echo = send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-echo: Bearer {KEY}\r\nx-generation-id: {KEY}\r\nconnection: close\r\n\r\n"
    ));
    let raw = Raw::always(vec![echo, chunk("Sky", "\"stop\""), done()]).await;
    let answer = raw.alone().stream(ask()).await.unwrap();
    assert!(
        !format!("{answer:?} {:?}", answer.generation_id()).contains("s3cr3"),
        "{answer:?}"
    );
}

/// A redirect would carry the key and the prompt away: none is followed, wherever it leads, and the error names the place without secrets.
#[tokio::test(start_paused = true)]
async fn no_redirect_is_followed() {
    let thief = Raw::always(vec![json(), send("{}")]).await;
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let elsewhere = format!("{}/chat", thief.url());
        let with_key = format!("{elsewhere}?key={KEY}");
        for (place, named) in [
            (elsewhere.as_str(), elsewhere.as_str()),
            (&with_key, "[key]"),
            ("/v1/other", "/v1/other"),
        ] {
            let location = format!("HTTP/1.1 {status}\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
            let raw = Raw::always(vec![send(location)]).await;
            for streamed in [true, false] {
                let got = call(&raw.alone(), streamed, ask()).await;
                assert_eq!(got.text, "");
                let error = got.error.unwrap_or_else(|| unreachable!("{status} is no answer"));
                let told = said(&error);
                assert!(told.contains("redirects to") && told.contains(named), "{told}");
                assert!(!told.contains("s3cr3t"), "{told}");
            }
            assert_eq!(
                raw.seen().len(),
                2,
                "{status}: each call once, and at the place that was set"
            );
            // Requests about the account carry the key, too.
            let account = Account::new(
                Transport::builder().upstream(raw.upstream()).build().unwrap(),
                raw.upstream(),
                Some(ApiKey::new(KEY).unwrap()),
            );
            let error = account.models().await.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
            assert_eq!(raw.seen().len(), 3);
        }
    }
    assert!(thief.seen().is_empty());
}
