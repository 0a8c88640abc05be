//! The headers in which Anthropic's clients list their betas go upstream, however many there are.

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;
use tower_openrouter::{Api, ChatServiceExt};

use crate::support::{
    FIRST,
    log::Log,
    mounted::ask,
    raw::{Raw, chunk, done, events},
};

/// A list of so many bytes.
fn betas(bytes: usize) -> String {
    let mut betas = "interleaved-thinking-2025-05-14,".repeat(bytes / 32 + 1);
    betas.truncate(bytes);
    betas
}

/// Whether the header that a client sends to this API arrives upstream whole.
async fn arrives(api: Api, name: &'static str, value: &str) -> bool {
    let raw = Raw::always(vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]).await;
    let endpoint = raw
        .alone()
        .into_endpoint(api)
        .pass_header(HeaderName::from_static("x-named"));
    let body = ask(api).replace("demo/model", FIRST);
    let request = Request::post("/")
        .header(name, value)
        .body(Full::new(Bytes::from(body)));
    let response = endpoint.oneshot(request.unwrap()).await.unwrap();
    assert_ne!(response.status(), StatusCode::BAD_REQUEST);
    drop(response.into_body().collect().await);
    raw.seen().pop().unwrap().contains(&format!("{name}: {value}\r\n"))
}

#[tokio::test(start_paused = true)]
async fn the_betas_of_messages_are_passed_on_up_to_4_kib() {
    for name in ["anthropic-beta", "x-anthropic-beta"] {
        for bytes in [20, 300, 4096] {
            assert!(arrives(Api::Messages, name, &betas(bytes)).await, "{name} {bytes}");
        }
        assert!(!arrives(Api::Messages, name, &betas(4097)).await, "{name}");
        assert!(!arrives(Api::Chat, name, "a").await, "{name}");
    }
}

/// What the operator named and is left out, the log says.
#[tokio::test(start_paused = true)]
async fn a_named_header_that_is_too_long_is_warned_of() {
    let (log, _guard) = Log::listen("warn");
    assert!(arrives(Api::Chat, "x-named", &betas(256)).await);
    assert!(!log.text().contains("x-named"), "{}", log.text());
    assert!(!arrives(Api::Chat, "x-named", &betas(257)).await);
    let text = log.text();
    let warned = text
        .lines()
        .any(|line| line.contains("WARN") && line.contains("x-named"));
    assert!(warned, "{text}");
}
