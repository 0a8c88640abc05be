//! reqwest-middleware over a stack.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use http::{Extensions, Request, StatusCode};
use reqwest::{Body, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Middleware, Next, Result};
use tokio::time::Instant;
use tower::service_fn;
use tower_openrouter::endpoint::Envelope;
use tower_openrouter_adapters::MiddlewareTransport;

use crate::support::{RESCUED, ask, ask_streamed, calls, left, parsed, rescued, world};

const CHAT: &str = "https://openrouter.ai/api/v1/chat/completions";

fn over(transport: impl Middleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(transport).build()
}

#[tokio::test(start_paused = true)]
async fn a_dead_first_model_is_rescued_plain_and_streamed() {
    let (simulator, stack) = rescued().await;
    let client = over(MiddlewareTransport::new(stack));
    let answer = client.post(CHAT).body(ask()).send().await.unwrap();
    assert_eq!(answer.url().as_str(), CHAT);
    let answer = parsed(&answer.text().await.unwrap());
    assert_eq!(answer["choices"][0]["message"]["content"], RESCUED);

    let streamed = client.post(CHAT).body(ask_streamed()).send().await.unwrap();
    assert!(streamed.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    assert_eq!(calls(&simulator), 4);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_a_response_with_the_upstreams_hint() {
    let (_simulator, stack) = world("429-upstream;retry-after=40", "429-upstream;retry-after=40").await;
    let openai = over(MiddlewareTransport::new(stack.clone()).envelope(Envelope::OpenAi));
    for (client, code) in [
        (over(MiddlewareTransport::new(stack)), "429"),
        (openai, "\"rate_limit_exceeded\""),
    ] {
        let response = client.post(CHAT).body(ask()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((38..=40).contains(&wait), "{wait}");
        assert_eq!(
            parsed(&response.text().await.unwrap())["error"]["code"].to_string(),
            code
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_request_is_the_deadline_of_the_call() {
    let (simulator, stack) = world("hang", "hang").await;
    let client = over(MiddlewareTransport::new(stack));
    let begun = Instant::now();
    let call = client.post(CHAT).body(ask()).timeout(Duration::from_secs(3));
    let response = call.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(begun.elapsed().as_secs(), 3);
    let told = parsed(&response.text().await.unwrap());
    assert_eq!(told["error"]["metadata"]["error_type"], "deadline_exceeded");
    simulator.wait_until(openrouter_simulator::Report::idle).await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_response_closes_the_connection_upstream() {
    let (simulator, stack) = world("words=900;delay=1s", "ok").await;
    let client = over(MiddlewareTransport::new(stack));
    let response = client.post(CHAT).body(ask_streamed()).send().await.unwrap();
    let mut events = response.bytes_stream();
    events.next().await.unwrap().unwrap();
    drop(events);
    left(&simulator).await;
}

/// Counts what passes.
struct Count(Arc<AtomicUsize>);

#[async_trait::async_trait]
impl Middleware for Count {
    async fn handle(&self, request: reqwest::Request, more: &mut Extensions, next: Next<'_>) -> Result<Response> {
        self.0.fetch_add(1, Ordering::Relaxed);
        next.run(request, more).await
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_before_it_sees_each_call_and_none_after_it_does() {
    let (_simulator, stack) = world("ok", "ok").await;
    let (before, after) = (Arc::default(), Arc::default());
    let client = ClientBuilder::new(reqwest::Client::new())
        .with(Count(Arc::clone(&before)))
        .with(MiddlewareTransport::new(stack))
        .with(Count(Arc::clone(&after)))
        .build();
    client.post(CHAT).body(ask()).send().await.unwrap();
    assert_eq!((before.load(Ordering::Relaxed), after.load(Ordering::Relaxed)), (1, 0));
}

#[tokio::test]
async fn a_failure_of_a_layer_is_the_clients_own_error() {
    let failing = service_fn(|_: Request<Body>| async { Err::<http::Response<Body>, _>(io::Error::other("full")) });
    let client = over(MiddlewareTransport::over(failing));
    let error = client.post(CHAT).body(ask()).send().await.unwrap_err();
    assert!(matches!(error, Error::Middleware(_)), "{error:?}");
    assert_eq!(error.to_string(), "full");
}
