//! Options of the stack, the transport and the endpoint: each changes what happens on the wire.

use std::time::Duration;

use crate::support::{
    FIRST, SECOND, World, ask, call,
    raw::{Raw, Step, chunk, done, events, head, json, send},
};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceExt;
use tower_openrouter::{
    ChatServiceExt, FailureKind,
    layers::{Phase, fallback::RequestedModel, retry::Exponential, timeout::MinThroughput},
    stack::StackBuilder,
    transport::TransportBuilder,
};

/// How many connections three calls after one another take.
async fn connections(change: fn(TransportBuilder) -> TransportBuilder, pause: Duration) -> u64 {
    let world = World::new("GOOD").await;
    let stack = world.builder().chain([FIRST]).connections(change).build().unwrap();
    for _ in 0..3 {
        assert!(call(&stack, false, ask()).await.error.is_none());
        tokio::time::sleep(pause).await;
    }
    world.simulator.report().connections_accepted
}

#[tokio::test(start_paused = true)]
async fn connections_are_kept_as_long_and_as_many_as_asked() {
    let none = Duration::ZERO;
    assert_eq!(connections(|builder| builder, none).await, 1);
    assert_eq!(connections(|builder| builder.pool_max_idle(0), none).await, 3);
    assert_eq!(connections(|builder| builder.shards(3), none).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_floor_of_pace_ends_a_slow_stream() {
    let slow = || async {
        let mut steps = vec![events()];
        for _ in 0..30 {
            steps.extend([chunk("a", "null"), Step::Wait(Duration::from_secs(2))]);
        }
        steps.extend([chunk("", "\"stop\""), done()]);
        Raw::always(steps).await
    };
    let floor = MinThroughput::new(10, Duration::from_secs(10));
    let got = call(
        &slow().await.builder().min_throughput(floor).build().unwrap(),
        true,
        ask(),
    )
    .await;
    assert_eq!(got.kind(), Some(FailureKind::Timeout(Phase::Throughput)), "{got:?}");
    let got = call(&slow().await.alone(), true, ask()).await;
    assert_eq!((got.kind(), got.text.len()), (None, 30), "{got:?}");
}

/// Which models are tried when the first one refuses.
async fn asked(status: &'static str, body: &'static str, change: fn(StackBuilder) -> StackBuilder) -> Vec<String> {
    let raw = Raw::start(move |request| {
        if request.contains(SECOND) {
            vec![
                json(),
                send(r#"{"choices":[{"message":{"content":"Sky"},"finish_reason":"stop"}]}"#),
            ]
        } else {
            vec![head(status, "application/json"), send(body)]
        }
    })
    .await;
    let stack = change(raw.builder().chain([FIRST, SECOND])).build().unwrap();
    let got = call(&stack, false, ask().model("x/asked")).await;
    got.asked().into_iter().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn the_route_changes_which_candidates_are_tried() {
    const BUSY: (&str, &str) = ("503 Service Unavailable", "{}");
    const REFUSED: (&str, &str) = (
        "403 Forbidden",
        r#"{"error":{"code":403,"message":"no","metadata":{"reasons":["violence"]}}}"#,
    );
    let same: fn(StackBuilder) -> StackBuilder = |builder| builder;
    assert_eq!(asked(BUSY.0, BUSY.1, same).await, ["x/asked", FIRST, SECOND]);
    let ignored: fn(StackBuilder) -> StackBuilder = |builder| builder.requested_model(RequestedModel::Ignored);
    assert_eq!(asked(BUSY.0, BUSY.1, ignored).await, [FIRST, SECOND]);
    assert_eq!(asked(REFUSED.0, REFUSED.1, same).await, ["x/asked"]);
    let moves: fn(StackBuilder) -> StackBuilder = |builder| builder.fallback_on_refusal(true);
    assert_eq!(asked(REFUSED.0, REFUSED.1, moves).await, ["x/asked", FIRST, SECOND]);
    let twice: fn(StackBuilder) -> StackBuilder = |builder| builder.attempts_per_candidate(2);
    assert_eq!(
        asked(BUSY.0, BUSY.1, twice).await,
        ["x/asked", "x/asked", FIRST, FIRST, SECOND]
    );
}

#[tokio::test(start_paused = true)]
async fn a_backoff_takes_its_time() {
    let raw = Raw::always(vec![head("503 Service Unavailable", "text/plain")]).await;
    let builder = raw.builder().attempts_per_candidate(2);
    let at_once = call(&builder.clone().build().unwrap(), true, ask()).await;
    assert_eq!((at_once.lines.len(), at_once.took), (2, Duration::ZERO), "{at_once:?}");
    let minute = Duration::from_secs(60);
    let builder = builder
        .max_retry_delay(minute)
        .backoff(Exponential::new(minute, minute).seeded(1));
    let later = call(&builder.build().unwrap(), true, ask()).await;
    assert_eq!(later.lines.len(), 2);
    assert!(later.took > Duration::from_secs(1), "{later:?}");
}

#[tokio::test(start_paused = true)]
async fn only_a_named_header_is_passed_on() {
    let raw = Raw::always(vec![events(), chunk("Sky", "\"stop\""), done()]).await;
    let endpoint = raw.alone().into_openai_endpoint();
    let name = http::HeaderName::from_static("x-tenant");
    for (endpoint, passed) in [(endpoint.clone(), false), (endpoint.pass_header(name), true)] {
        let body = Bytes::from_static(br#"{"stream":true,"messages":[{"role":"user","content":"Hi"}]}"#);
        let request = Request::post("/")
            .header("x-tenant", "acme")
            .body(Full::new(body))
            .unwrap();
        drop(endpoint.oneshot(request).await.unwrap());
        assert_eq!(raw.seen().last().unwrap().contains("x-tenant: acme"), passed);
    }
}
