//! The tenant's limits in the headers of the mounted endpoints, from the limiter's own numbers.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use tower_openrouter::{
    Api, ChatServiceExt, Stack, Tags,
    endpoint::{Endpoints, response_headers},
    layers::rate_limit::{Limits, Rate},
    stack::TenantKey,
};

use crate::support::{
    FIRST, World,
    mounted::{ask, post, send},
};

const MINUTE: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits::new()
        .requests(Rate::new(600, MINUTE).and_then(|rate| rate.burst(3)).unwrap())
        .tokens(Rate::new(60_000, MINUTE).and_then(|rate| rate.burst(6_000)).unwrap())
        .concurrency(5)
        .unwrap()
}

async fn mounted(limits: Limits) -> (World, Endpoints<Stack>) {
    let world = World::new("GOOD").await;
    let stack = world
        .builder()
        .chain([FIRST])
        .requested_model(tower_openrouter::layers::fallback::RequestedModel::Ignored);
    let stack = stack
        .tenant_limits(limits, TenantKey::tag("tenant"), Duration::ZERO)
        .build()
        .unwrap();
    (world, stack.into_endpoints())
}

fn of(tenant: &str, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = post(path, body);
    request
        .extensions_mut()
        .insert(Tags::new([("tenant", tenant)]).unwrap());
    request
}

fn told<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A page in a browser reads a header only if CORS exposes it.
#[tokio::test(start_paused = true)]
async fn each_header_that_is_written_is_listed_for_cors() {
    let (_world, endpoints) = mounted(limits()).await;
    let listed: Vec<_> = response_headers().collect();
    let mut refused = 0;
    for _ in 0..4 {
        let (head, _) = send(endpoints.clone(), of("acme", "/v1/messages", ask(Api::Messages))).await;
        refused += u32::from(head.status == 429);
        for name in head.headers.keys() {
            assert!(name == "content-type" || listed.contains(name), "{name}");
        }
    }
    assert_eq!(refused, 1);
    for name in ["x-should-retry", "x-ratelimit-reset-tokens", "x-openrouter-cache-age"] {
        assert!(listed.iter().any(|own| own == name), "{name}");
    }
}

/// Every field as it is written: a list of strings with parameters.
#[tokio::test(start_paused = true)]
async fn a_success_and_a_refusal_say_what_is_left() {
    let (_world, endpoints) = mounted(limits()).await;
    let policy = r#""requests";q=600;w=60;llm-burst=3, "tokens";q=60000;qu="tokens";w=60;llm-burst=6000, "concurrency";q=5;qu="concurrent-requests""#;
    for (nth, left) in [2, 1, 0].into_iter().enumerate() {
        let (head, _) = send(endpoints.clone(), of("acme", "/v1/chat/completions", ask(Api::Chat))).await;
        assert_eq!(head.status, 200);
        let headers = &head.headers;
        assert_eq!(told(headers, "ratelimit-policy"), policy);
        let state = told(headers, "ratelimit");
        assert!(
            state.starts_with(&format!(r#""requests";r={left};t=1, "tokens";r="#)),
            "{state}"
        );
        assert!(state.ends_with(r#", "concurrency";r=5"#), "{state}");
        assert_eq!(told(headers, "x-ratelimit-limit-requests"), "600");
        assert_eq!(told(headers, "x-ratelimit-remaining-requests"), left.to_string());
        assert_eq!(
            told(headers, "x-ratelimit-reset-requests"),
            format!("{}ms", (nth + 1) * 100)
        );
        assert_eq!(told(headers, "x-ratelimit-limit-tokens"), "60000");
        let tokens: u64 = told(headers, "x-ratelimit-remaining-tokens").parse().unwrap();
        assert!(
            tokens < 6_000 && state.contains(&format!(r#""tokens";r={tokens};t=1"#)),
            "{state}"
        );
        assert!(told(headers, "x-ratelimit-reset-tokens").ends_with("ms"));
    }
    let (head, text) = send(endpoints.clone(), of("acme", "/v1/chat/completions", ask(Api::Chat))).await;
    assert_eq!(
        (head.status.as_u16(), told(&head.headers, "retry-after")),
        (429, "1"),
        "{text}"
    );
    assert!(told(&head.headers, "ratelimit").starts_with(r#""requests";r=0;t=1"#));
    assert_eq!(told(&head.headers, "x-ratelimit-remaining-requests"), "0");
    // Another tenant has limits of its own.
    let (head, _) = send(endpoints, of("globex", "/v1/messages", ask(Api::Messages))).await;
    assert_eq!(told(&head.headers, "x-ratelimit-remaining-requests"), "2");
}

/// A stream is in flight when its head is written, and its tokens are those that it may take.
#[tokio::test(start_paused = true)]
async fn a_stream_counts_while_it_is_in_flight() {
    let (_world, endpoints) = mounted(limits()).await;
    let body = r#"{"model":"x/y","stream":true,"max_tokens":1000,"messages":[{"role":"user","content":"Hi"}]}"#;
    let (head, _) = send(endpoints.clone(), of("acme", "/v1/chat/completions", body)).await;
    assert!(told(&head.headers, "ratelimit").ends_with(r#""concurrency";r=4"#));
    let left = |head: &http::response::Parts| {
        told(&head.headers, "x-ratelimit-remaining-tokens")
            .parse::<u64>()
            .unwrap()
    };
    assert!(left(&head) < 5_000);
    let (later, _) = send(endpoints, of("acme", "/v1/embeddings", ask(Api::Embeddings))).await;
    assert!(left(&later) > 5_000, "the stream took less: {:?}", later.headers);
}

#[tokio::test(start_paused = true)]
async fn windows_below_a_second_are_counted_up_to_one() {
    let quick = Rate::new(5, Duration::from_millis(250))
        .and_then(|rate| rate.burst(2))
        .unwrap();
    let (_world, endpoints) = mounted(Limits::new().requests(quick)).await;
    let (head, _) = send(endpoints, of("acme", "/v1/chat/completions", ask(Api::Chat))).await;
    assert_eq!(
        told(&head.headers, "ratelimit-policy"),
        r#""requests";q=20;w=1;llm-burst=2"#
    );
    assert_eq!(told(&head.headers, "ratelimit"), r#""requests";r=1;t=1"#);
}

/// No header claims a limit that was not looked at: without a tenant, before the limiter, without a limit, and of a candidate's own limits.
#[tokio::test(start_paused = true)]
async fn what_no_limiter_has_counted_is_not_reported() {
    let (world, endpoints) = mounted(limits()).await;
    let upstream_limits = world.builder().chain([FIRST]).upstream_limits(limits(), Duration::ZERO);
    for (service, request) in [
        (endpoints.clone(), post("/v1/chat/completions", ask(Api::Chat))),
        (endpoints.clone(), of("acme", "/v1/chat/completions", "{")),
        (endpoints, of("acme", "/v1/nowhere", "{}")),
        (
            world.alone().into_endpoints(),
            of("acme", "/v1/chat/completions", ask(Api::Chat)),
        ),
        (
            upstream_limits.build().unwrap().into_endpoints(),
            of("acme", "/v1/chat/completions", ask(Api::Chat)),
        ),
    ] {
        let (head, _) = send(service, request).await;
        let names = head.headers.keys().map(http::HeaderName::as_str);
        let limits: Vec<_> = names.filter(|name| name.contains("ratelimit")).collect();
        assert_eq!(limits, [""; 0]);
    }
}
