//! What surrounds every request: a panic in one call is that call's 500, or the end of its stream; a request's id comes back with its response, and
//! stands in each line of the log that is written for the request.

use std::{
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use futures_util::{FutureExt, future::CatchUnwind};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use pin_project::pin_project;
use tower_layer::Layer;
use tower_openrouter::endpoint::Refusal;
use tower_service::Service;
use tracing::{Instrument, Span, field::Empty, instrument::Instrumented};

use super::caught::{caught, quietly};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that comes back, in bytes.
const LONGEST_ID: usize = 256;

/// Makes a panic in one request that request's 500, or the end of its body once the head is sent, and gives the client its `x-request-id` back.
///
/// The request and its body run in a span `request` at `info` with this id. Layers below record the name of the client key in its field `key`, and
/// the number of the call in `call`, as the page and `/api/calls` have it.
///
/// # Cancellation
///
/// Dropping the future drops the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct OuterLayer;

/// The service of [`OuterLayer`].
#[derive(Debug, Clone)]
pub struct Outer<S>(S);

impl<S> Layer<S> for OuterLayer {
    type Service = Outer<S>;

    fn layer(&self, inner: S) -> Outer<S> {
        Outer(inner)
    }
}

impl<S, B> Service<Request<B>> for Outer<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = OuterFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let id = request
            .headers()
            .get(&REQUEST_ID)
            .filter(|id| id.len() <= LONGEST_ID)
            .cloned();
        let path = request.uri().path().into();
        let shown = id.as_ref().and_then(|id| id.to_str().ok());
        let span = tracing::info_span!(target: "gateway", "request", id = shown, key = Empty, call = Empty);
        let called = span.in_scope(|| catch_unwind(AssertUnwindSafe(|| self.0.call(request))));
        let inner = called.ok().map(|called| AssertUnwindSafe(called).catch_unwind());
        OuterFuture {
            inner: inner.map(|inner| inner.instrument(span.clone())),
            id,
            path,
            span,
        }
    }
}

/// The future of [`Outer`].
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct OuterFuture<F> {
    /// There until it panics.
    #[pin]
    inner: Option<Instrumented<CatchUnwind<AssertUnwindSafe<F>>>>,
    id: Option<HeaderValue>,
    path: Box<str>,
    span: Span,
}

impl<F: Future<Output = Result<Response<Body>, Infallible>>> Future for OuterFuture<F> {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answered = match this.inner.as_mut().as_pin_mut() {
            Some(inner) => std::task::ready!(inner.poll(cx)).ok(),
            None => None,
        };
        let response = match answered {
            Some(response) => response,
            None => {
                quietly(|| this.inner.set(None));
                // The panic hook has logged where.
                this.span
                    .in_scope(|| tracing::error!(target: "gateway", path = &**this.path, "a request panicked"));
                let refusal = Refusal::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the gateway failed: this is a defect of its own",
                );
                Ok(refusal.into_response(this.path).map(Body::new))
            }
        };
        Poll::Ready(response.map(|response| {
            let mut response = response.map(|body| caught(body, this.path, this.span));
            if let Some(id) = this.id.take() {
                response.headers_mut().insert(REQUEST_ID, id);
            }
            response
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;
    use tower::{ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_panic_is_the_call_s_500_in_the_envelope_of_its_api() {
        let service = OuterLayer.layer(service_fn(async |request: Request<&str>| {
            assert!(!request.uri().path().contains("messages"), "planted");
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }));
        for (path, status) in [("/v1/messages", 500), ("/v1/models", 200)] {
            let request = Request::builder()
                .uri(path)
                .header(REQUEST_ID, "id-1")
                .body("")
                .unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()[REQUEST_ID], "id-1");
            if status == 500 {
                let text = response.into_body().collect().await.unwrap().to_bytes();
                let text = String::from_utf8_lossy(&text).into_owned();
                assert!(text.contains("api_error") && !text.contains("planted"), "{text}");
            }
        }
    }

    #[tokio::test]
    async fn a_panic_before_there_is_a_future_is_a_500_too() {
        let planted = |_: Request<&str>| -> Ready<Result<Response<Body>, Infallible>> { panic!("planted") };
        let request = Request::builder().uri("/v1/messages").body("").unwrap();
        let response = OuterLayer.layer(service_fn(planted)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 500);
    }

    #[tokio::test]
    async fn a_panic_of_a_body_is_its_last_frame() {
        let service = OuterLayer.layer(service_fn(async |_: Request<&str>| {
            let frames = stream::iter([0, 1]).map(|number| {
                assert!(number < 1, "planted");
                Ok::<_, Infallible>(Bytes::from_static(b"a"))
            });
            Ok::<_, Infallible>(Response::new(Body::from_stream(frames)))
        }));
        let response = service.oneshot(Request::new("")).await.unwrap();
        let mut body = response.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }
}
