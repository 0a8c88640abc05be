//! A call waits for the readiness of what a stack is built over, and never past its deadline.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;
use tower::{Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_openrouter::{
    ApiKey, ApiRequest, BoxStack, ChatBody, ChatRequest, ChatServiceExt, Error, FailureKind, Phase, Stack,
    layers::deadline::DEADLINE_HEADER, stack::StackBuilder,
};

use crate::support::{FIRST, ask};

const ANSWER: &str = r#"{"id":"gen-1","choices":[{"index":0,"message":{"content":"Oslo."},"finish_reason":"stop"}]}"#;

/// A service with one place, which is taken as long as the second one is held.
async fn busy() -> (BoxStack, impl Sized) {
    let answers = service_fn(|_: Request<ApiRequest>| async {
        Ok::<_, Error>(Response::new(ChatBody::from_plain(Full::from(ANSWER))))
    });
    let service = ConcurrencyLimit::new(answers, 1);
    let mut held = service.clone();
    held.ready().await.unwrap();
    (service.boxed_stack(), held)
}

fn builder() -> StackBuilder {
    Stack::openrouter(ApiKey::new("sk-or-v1-test").unwrap())
        .chain([FIRST])
        .deadline(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_gets_ready_ends_by_its_deadline() {
    let (service, _held) = busy().await;
    let stack = builder().build_over(service).unwrap();
    for streamed in [true, false] {
        let begun = Instant::now();
        let error = if streamed {
            stack.stream(ask()).await.map(drop).unwrap_err()
        } else {
            stack.complete(ask()).await.map(drop).unwrap_err()
        };
        assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_bounds_the_wait_as_well() {
    let (service, _held) = busy().await;
    let stack = builder().build_over(service).unwrap();
    let mut request = ask().into_http();
    request.headers_mut().insert(DEADLINE_HEADER, "250ms".parse().unwrap());
    let begun = Instant::now();
    let error = stack.complete(request).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
    assert_eq!(begun.elapsed(), Duration::from_millis(250));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_says_so_in_time() {
    let (service, _held) = busy().await;
    let endpoint = builder().build_over(service).unwrap().into_openai_endpoint();
    let body = ChatRequest::to_bytes(&ask().model(FIRST));
    let request = Request::post("/v1/chat/completions").body(Full::new(body)).unwrap();
    let begun = Instant::now();
    let (parts, body) = endpoint.oneshot(request).await.unwrap().into_parts();
    assert_eq!(parts.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    let text: Bytes = body.collect().await.unwrap().to_bytes();
    assert!(text.windows(17).any(|part| part == b"deadline_exceeded"), "{text:?}");
}

/// What the wait took is not given to the answer again.
#[tokio::test(start_paused = true)]
async fn the_wait_counts_against_the_deadline() {
    let slow = service_fn(|_: Request<ApiRequest>| async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        Ok::<_, Error>(Response::new(ChatBody::from_plain(Full::from(ANSWER))))
    });
    let service = ConcurrencyLimit::new(slow, 1);
    let mut held = service.clone();
    held.ready().await.unwrap();
    let stack = builder().build_over(service).unwrap();
    let begun = Instant::now();
    let call = tokio::spawn(async move { stack.complete(ask()).await });
    tokio::time::sleep(Duration::from_millis(600)).await;
    drop(held);
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), FailureKind::Timeout(Phase::Deadline));
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
}

/// The bare service passes readiness through: a layer around it decides what to do with it.
#[tokio::test(start_paused = true)]
async fn the_service_itself_is_ready_when_the_inner_one_is() {
    let (service, held) = busy().await;
    let mut stack = builder().build_over(service).unwrap();
    let mut task = tokio_test_task();
    assert!(stack.poll_ready(&mut task).is_pending());
    drop(held);
    stack.ready().await.unwrap();
    // A clone holds no place of its own, and dropping the one that is ready gives its place back.
    let mut clone = stack.clone();
    assert!(clone.poll_ready(&mut task).is_pending());
    drop(stack);
    clone.ready().await.unwrap();
}

fn tokio_test_task() -> std::task::Context<'static> {
    std::task::Context::from_waker(std::task::Waker::noop())
}
