//! Upstreams that speak some of the APIs: the others are skipped, and each gets what it understands.

use tower_openrouter::{
    Api, ApiKey, Candidate, FailureKind as K, Outcome, ResponsesRequest, Stack, Upstream, transport::Dialect,
};

use super::{SKY, body, call, good, request, sent_body};
use crate::support::{
    FIRST, SECOND,
    raw::{Raw, head, send},
};

const ANTHROPIC_KEY: &str = "sk-ant-0123456789";

/// An upstream that answers in this API.
async fn well(api: Api) -> Raw {
    Raw::start(move |request| good(api, request)).await
}

fn candidates(names: &[&str]) -> Vec<Candidate> {
    names
        .iter()
        .map(|name| Candidate::new(name, "claude").unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn anthropic_gets_its_own_key_header_version_and_fields() {
    let raw = well(Api::Messages).await;
    let upstream = Upstream::new("anthropic", raw.url(), Dialect::Anthropic).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new(ANTHROPIC_KEY).unwrap())
        .chain(candidates(&["anthropic"]))
        .build()
        .unwrap();
    let fields =
        r#""messages":[{"role":"user","content":"Hi"}],"provider":{"sort":"price"},"models":["a/b"],"user":"u""#;
    let body = format!(r#"{{"model":"claude","max_tokens":9,{fields}}}"#);
    let ask = || tower_openrouter::ApiRequest::from_json(Api::Messages, body.clone()).unwrap();
    assert_eq!(call(&stack, ask()).await.text, SKY);
    let seen = raw.seen().remove(0).to_ascii_lowercase();
    assert!(seen.starts_with("post /v1/messages "), "{seen}");
    assert!(seen.contains(&format!("\r\nx-api-key: {ANTHROPIC_KEY}\r\n")), "{seen}");
    assert!(
        seen.contains("\r\nanthropic-version: 2023-06-01\r\n") && !seen.contains("authorization"),
        "{seen}"
    );
    assert_eq!(
        sent_body(&seen),
        r#"{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
    );
    // A version that the request has is passed on.
    let mut own = ask().into_http();
    own.headers_mut()
        .insert("anthropic-version", http::HeaderValue::from_static("2026-10-21"));
    tower::ServiceExt::oneshot(stack.clone(), own).await.unwrap();
    assert!(raw.seen().remove(1).contains("anthropic-version: 2026-10-21\r\n"));
}

#[tokio::test(start_paused = true)]
async fn the_key_in_a_header_of_its_own_is_in_no_error() {
    let words =
        format!(r#"{{"type":"error","error":{{"type":"authentication_error","message":"bad {ANTHROPIC_KEY}"}}}}"#);
    let raw = Raw::always(vec![head("401 Unauthorized", "application/json"), send(words)]).await;
    let upstream = Upstream::new("anthropic", raw.url(), Dialect::Anthropic).unwrap();
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new(ANTHROPIC_KEY).unwrap())
        .chain(candidates(&["anthropic"]))
        .build()
        .unwrap();
    let got = call(&stack, request(Api::Messages, true)).await;
    let error = got.error.unwrap();
    assert_eq!(error.kind(), K::Auth);
    assert!(
        !format!("{error} {error:?} {error:#?}").contains(ANTHROPIC_KEY),
        "{error:#?}"
    );
}

/// A candidate whose upstream does not support the API of the call is skipped, and the log says why.
#[tokio::test(start_paused = true)]
async fn a_candidate_at_an_upstream_without_the_api_is_skipped() {
    let (chats, router) = (well(Api::Chat).await, well(Api::Messages).await);
    let stack = router
        .builder()
        .upstream(("direct", chats.url()), ApiKey::new("sk-0").unwrap())
        .chain([
            Candidate::new("direct", "claude").unwrap(),
            Candidate::new("openrouter", SECOND).unwrap(),
        ])
        .requested_model(tower_openrouter::layers::fallback::RequestedModel::Ignored)
        .build()
        .unwrap();
    let got = call(&stack, request(Api::Messages, true)).await;
    assert_eq!(
        (got.text.as_str(), got.sent(), chats.seen().len()),
        (SKY, 1, 0),
        "{got:?}"
    );
    let skipped = got.lines.iter().find(|line| line.outcome == Outcome::Skipped).unwrap();
    let log = format!("{skipped:?}");
    assert!(
        log.contains("does not support messages, only chat, embeddings"),
        "{log}"
    );

    // If none does, that is the answer, and nothing was sent.
    let stack = Stack::builder()
        .upstream(("direct", chats.url()), ApiKey::new("sk-0").unwrap())
        .chain(candidates(&["direct"]))
        .build()
        .unwrap();
    let got = call(&stack, request(Api::Messages, true)).await;
    assert_eq!(
        (got.kind(), got.sent(), chats.seen().len()),
        (Some(K::NoEndpoint), 0, 0),
        "{got:?}"
    );
    assert!(got.error.unwrap().to_string().contains("does not support messages"));
}

#[tokio::test(start_paused = true)]
async fn an_upstream_speaks_what_it_is_given() {
    let raw = well(Api::Responses).await;
    for (apis, answered) in [(vec![Api::Chat, Api::Responses], true), (vec![Api::Chat], false)] {
        let upstream = Upstream::openai_compatible("local", raw.url()).unwrap().apis(apis);
        let stack = Stack::builder()
            .upstream(upstream, ApiKey::new("sk-0").unwrap())
            .chain(candidates(&["local"]))
            .build()
            .unwrap();
        let got = call(&stack, request(Api::Responses, true)).await;
        assert_eq!(got.text == SKY, answered, "{got:?}");
    }
    let openai = Upstream::openai().unwrap();
    assert!(openai.supports(Api::Responses) && openai.supports(Api::Embeddings) && !openai.supports(Api::Messages));
    let anthropic = Upstream::anthropic().unwrap();
    assert!(anthropic.supports(Api::Messages) && !anthropic.supports(Api::Chat));
    assert!(
        Api::ALL
            .iter()
            .all(|api| Upstream::openrouter().unwrap().supports(*api))
    );
}

/// The router keeps no responses: another upstream may.
#[tokio::test(start_paused = true)]
async fn a_reference_to_an_earlier_response_goes_to_an_upstream_that_keeps_them() {
    let (router, openai) = (well(Api::Responses).await, well(Api::Responses).await);
    let ask = || {
        let request = ResponsesRequest::text("And why?").model(FIRST);
        request.extra("previous_response_id", "resp_0").stream(true).into()
    };
    let got = call(&router.alone(), ask()).await;
    assert_eq!((got.kind(), router.seen().len()), (Some(K::BadRequest), 0), "{got:?}");
    assert!(got.error.unwrap().message().contains("`previous_response_id`"));

    let direct = Upstream::openai_compatible("openai", openai.url())
        .unwrap()
        .apis([Api::Responses]);
    let stack = router
        .builder()
        .upstream(direct, ApiKey::new("sk-0").unwrap())
        .chain([
            Candidate::new("openrouter", FIRST).unwrap(),
            Candidate::new("openai", "gpt-5").unwrap(),
        ])
        .build()
        .unwrap();
    let got = call(&stack, ask()).await;
    assert_eq!(
        (got.text.as_str(), router.seen().len(), openai.seen().len()),
        (SKY, 0, 1),
        "{got:?}"
    );
    assert!(sent_body(&openai.seen()[0]).contains("resp_0"));
    assert!(body(Api::Responses, true).contains("stream"));
}
