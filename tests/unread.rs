//! A client that stops reading holds nothing past its deadline, and a header that is too long moves no call to another model.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use openrouter_simulator::Outcome as Seen;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_openrouter::{
    ChatServiceExt, FailureKind, Outcome, Stack,
    endpoint::EndpointBody,
    layers::{Phase, rate_limit::Limits},
    stack::TenantKey,
};

use crate::support::{
    FIRST, World, ask,
    log::Log,
    raw::{Raw, chunk, done, events},
};

const S: Duration = Duration::from_secs(1);

/// Slow enough to be under way at its deadline, three calls at once and no more.
fn stack(world: &World) -> Stack {
    let mut three = Limits::new();
    three.concurrency = std::num::NonZeroU32::new(3);
    world
        .builder()
        .first_token_timeout(2 * S)
        .deadline(3 * S)
        .tenant_limits(three, TenantKey::global(), Duration::ZERO)
        .chain([FIRST])
        .build()
        .unwrap()
}

async fn post(stack: &Stack, headers: &[(&str, String)]) -> Response<EndpointBody> {
    let body = json!({"model": FIRST, "stream": true, "messages": [{"role": "user", "content": "Hello"}]});
    let mut request = Request::builder().method(Method::POST).uri("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body.to_string()))).unwrap();
    stack.clone().into_openai_endpoint().oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn clients_that_stop_reading_hold_nothing_past_the_deadline() {
    let world = World::new("delay=1s;words=500").await;
    let stack = stack(&world);
    let mut unread = Vec::new();
    for _ in 0..3 {
        let response = post(&stack, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        unread.push(response.into_body());
    }
    assert_eq!(post(&stack, &[]).await.status(), StatusCode::TOO_MANY_REQUESTS);
    sleep(4 * S).await;
    world.simulator.wait_until(|seen| seen.open_connections == 0).await;
    for attempt in &world.simulator.report().attempts {
        assert_eq!(attempt.outcome, Seen::ClosedByClient);
    }
    assert_eq!(
        post(&stack, &[]).await.status(),
        StatusCode::OK,
        "their places are free"
    );
    let rest = unread.remove(0).collect().await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("deadline_exceeded") && !rest.contains("[DONE]"), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn an_unread_answer_holds_nothing_past_the_deadline() {
    let world = World::new("delay=1s;words=500").await;
    let stack = stack(&world);
    let mut answer = stack.stream(ask()).await.unwrap();
    let log = answer.attempts().unwrap();
    assert!(
        log.deadline()
            .is_some_and(|deadline| deadline <= Instant::now() + 3 * S)
    );
    sleep(4 * S).await;
    world.simulator.wait_until(|seen| seen.open_connections == 0).await;
    assert_eq!(log.attempts()[0].outcome, Outcome::Dropped);
    let error = answer.next_text().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
    assert_eq!(error.to_string(), "no answer within 3 s");
    assert!(answer.next_text().await.is_none());
}

/// A reader gets the deadline's own error, once, and at the deadline.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_read_ends_at_the_deadline() {
    let world = World::new("delay=1s;words=500").await;
    let begun = Instant::now();
    let mut answer = stack(&world).stream(ask()).await.unwrap();
    let mut errors = Vec::new();
    while let Some(text) = answer.next_text().await {
        errors.extend(text.err());
    }
    assert_eq!((errors.len(), begun.elapsed().as_secs()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_header_of_a_client_that_is_too_long_is_not_passed_on() {
    let raw = Raw::always(vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]).await;
    let stack = raw.alone();
    let long = |length: usize| "x".repeat(length);
    for (name, length, passes) in [
        ("x-session-id", 256, true),
        ("x-session-id", 257, false),
        ("x-session-id", 400_000, false),
        ("tracestate", 512, true),
        ("tracestate", 513, false),
    ] {
        let response = post(&stack, &[(name, long(length))]).await;
        assert_eq!(response.status(), StatusCode::OK, "{name} {length}");
        let seen = raw.seen().pop().unwrap();
        assert_eq!(seen.contains(&format!("{name}: x")), passes, "{name} {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_clients_sdk_is_a_deadline() {
    let world = World::new("hang").await;
    let stack = world.builder().chain([FIRST]).build().unwrap();
    for (said, ends) in [("2.5", 2500), ("NaN", 15_000), ("0", 15_000), ("-1", 15_000)] {
        let begun = Instant::now();
        let headers = [
            ("x-stainless-timeout", said.to_owned()),
            ("x-stainless-retry-count", "2".to_owned()),
        ];
        let response = post(&stack, &headers).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(begun.elapsed().as_millis(), ends, "{said}");
    }
}

/// `0` is the first try, and what is no count is ignored.
#[tokio::test(start_paused = true)]
async fn a_call_that_the_clients_sdk_sends_again_is_logged_with_its_count() {
    let world = World::new("GOOD").await;
    let stack = world.builder().chain([FIRST]).build().unwrap();
    for (said, logged) in [
        ("1", Some("retries=1")),
        (" 2 ", Some("retries=2")),
        ("0", None),
        ("-1", None),
        ("1.5", None),
        ("many", None),
        ("", None),
        ("99999999999", None),
    ] {
        let (log, guard) = Log::listen("tower_openrouter=info");
        let response = post(&stack, &[("x-stainless-retry-count", said.to_owned())]).await;
        assert_eq!(response.status(), StatusCode::OK, "{said}");
        drop(guard);
        let text = log.text();
        let line = text
            .lines()
            .find(|line| line.contains("the client sends this call again"));
        assert_eq!(line.is_some(), logged.is_some(), "`{said}`: {text}");
        assert!(
            logged.is_none_or(|logged| line.unwrap().contains(logged)),
            "`{said}`: {text}"
        );
    }
    let (log, guard) = Log::listen("tower_openrouter=info");
    post(&stack, &[]).await;
    drop(guard);
    assert!(!log.text().contains("sends this call again"), "{}", log.text());
}
