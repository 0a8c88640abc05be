//! The sum of the request bodies that an endpoint reads and holds.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tokio::time::timeout;
use tower::{ServiceExt, service_fn};
use tower_openrouter::{
    ApiKey, ApiRequest, ChatBody, ChatServiceExt, Error, Stack, Tags,
    endpoint::{ATTEMPTS_HEADER, Endpoints},
};

const ANSWER: &str = r#"{"choices":[{"index":0,"message":{"content":"Oslo."},"finish_reason":"stop"}]}"#;
const KIB: usize = 1024;

/// The documents that the inner service has kept.
type Kept = Arc<Mutex<Vec<ApiRequest>>>;

/// Bodies of 100 KiB at most, and so many bytes of all. The inner service keeps each document.
fn endpoints(total: usize) -> (Endpoints<impl tower_openrouter::ChatService>, Kept) {
    let kept = Kept::default();
    let held = Arc::clone(&kept);
    let service = service_fn(
        move |request: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            held.lock().unwrap().push(request.into_body());
            Box::pin(async { Ok(Response::new(ChatBody::from_plain(Full::from(ANSWER)))) })
        },
    );
    let stack = Stack::openrouter(ApiKey::new("sk-or-v1-s3cr3t").unwrap())
        .chain(["demo/model"])
        .build_over(service)
        .unwrap();
    let endpoints = stack
        .into_endpoints()
        .max_body_bytes(100 * KIB)
        .max_total_body_bytes(total);
    (endpoints, kept)
}

/// A call with a body of so many bytes.
fn call(path: &str, bytes: usize) -> Request<Full<Bytes>> {
    let start = r#"{"model":"demo/model","max_tokens":9,"messages":[{"role":"user","content":""#;
    let end = "\"}]}";
    let content = "a".repeat(bytes - start.len() - end.len());
    let body = Bytes::from(format!("{start}{content}{end}"));
    Request::post(path).body(Full::new(body)).unwrap()
}

/// A body that is announced and does not come.
struct Announced(u64);

impl Body for Announced {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

/// A call of this caller whose body of 100 KiB is read.
fn reading(caller: &str) -> Request<Announced> {
    let tags = Tags::new([("key", caller)]).unwrap();
    let request = Request::post("/v1/chat/completions").extension(tags);
    request.body(Announced(102_400)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bodies_are_bounded_together_until_their_documents_are_dropped() {
    let (endpoints, kept) = endpoints(200 * KIB);
    let path = "/v1/chat/completions";
    for _ in 0..2 {
        let response = endpoints.clone().oneshot(call(path, 90 * KIB)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    for (path, word, kind) in [
        (path, "/error/code", "/error/type"),
        ("/api/v1/chat/completions", "/error/metadata/error_type", "/error/type"),
        ("/v1/messages", "/error/details/error_code", "/error/type"),
    ] {
        let (head, body) = endpoints
            .clone()
            .oneshot(call(path, 90 * KIB))
            .await
            .unwrap()
            .into_parts();
        assert_eq!(head.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(head.headers["retry-after"], "1");
        assert!(!head.headers.contains_key(ATTEMPTS_HEADER), "{path}: nothing is sent");
        let error: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(error.pointer(word).unwrap(), "body_bytes_limited", "{path}");
        let kind = error.pointer(kind).unwrap();
        assert_eq!(
            kind,
            if path == "/v1/messages" {
                "overloaded_error"
            } else {
                "api_error"
            }
        );
    }
    let small = endpoints.clone().oneshot(call(path, KIB)).await.unwrap();
    assert_eq!(small.status(), StatusCode::OK, "a small body has room");
    kept.lock().unwrap().clear();
    let response = endpoints.clone().oneshot(call(path, 90 * KIB)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the documents are dropped");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_announces_many_bodies_leaves_room_for_others() {
    let (endpoints, _) = endpoints(1600 * KIB);
    let mut slow: Vec<_> = (0..4)
        .map(|_| tokio::spawn(endpoints.clone().oneshot(reading("a"))))
        .collect();
    tokio::task::yield_now().await;
    let refused = timeout(Duration::from_secs(1), endpoints.clone().oneshot(reading("a"))).await;
    assert_eq!(
        refused.unwrap().unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE,
        "at once"
    );
    let other = timeout(Duration::from_secs(1), endpoints.clone().oneshot(reading("b"))).await;
    assert!(other.is_err(), "the body of another caller is read");
    // The client is gone.
    let gone = slow.pop().unwrap();
    gone.abort();
    assert!(gone.await.is_err());
    let next = timeout(Duration::from_secs(1), endpoints.clone().oneshot(reading("a"))).await;
    assert!(next.is_err(), "there is room for it again");
}
