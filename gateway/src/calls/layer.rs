//! The layer around the endpoints.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body::Body;
use pin_project::{pin_project, pinned_drop};
use tower_layer::Layer;
use tower_openrouter::{Api, Tags, endpoint::CACHE_HEADER};
use tower_service::Service;

use super::{Calls, CallsBody, answer::Tail, open::OpenCall};

/// Records the calls of the service that it is put around: see [`Calls::layer`].
#[derive(Debug, Clone)]
pub struct CallsLayer {
    calls: Calls,
}

impl CallsLayer {
    pub(super) const fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

impl<S> Layer<S> for CallsLayer {
    type Service = CallsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallsService {
            inner,
            calls: self.calls.clone(),
        }
    }
}

/// The service of [`CallsLayer`].
#[derive(Debug, Clone)]
pub struct CallsService<S> {
    inner: S,
    calls: Calls,
}

impl<S, R, B> Service<Request<R>> for CallsService<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    B: Body<Data = Bytes>,
{
    type Response = Response<CallsBody<B>>;
    type Error = S::Error;
    type Future = CallsFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let api = api_of(request.method(), request.uri().path());
        let call = api.map(|api| OpenCall::begin(&self.calls, api, request.extensions().get::<Tags>()));
        if let Some(id) = call.as_ref().and_then(OpenCall::id) {
            tracing::Span::current().record("call", id);
        }
        if let Some(mark) = call.as_ref().and_then(OpenCall::mark) {
            request.extensions_mut().insert(mark);
        }
        CallsFuture {
            inner: Some(self.inner.call(request)),
            call,
        }
    }
}

/// The API that a request calls, by the paths of the library's endpoints.
fn api_of(method: &Method, path: &str) -> Option<Api> {
    let name = path.strip_prefix("/api").unwrap_or(path).strip_prefix("/v1/")?;
    let api = Api::ALL.into_iter().find(|api| api.path() == name)?;
    (*method == Method::POST).then_some(api)
}

/// The future of [`CallsService`].
#[pin_project(PinnedDrop)]
#[must_use = "futures do nothing unless polled"]
pub struct CallsFuture<F> {
    /// There until it has ended.
    #[pin]
    inner: Option<F>,
    call: Option<OpenCall>,
}

impl<F, B, E> Future for CallsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes>,
{
    type Output = Result<Response<CallsBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(inner.poll(cx));
        this.inner.set(None);
        let call = this.call.take();
        Poll::Ready(result.map(|response| {
            let watched = call.map(|call| watch(call, &response));
            response.map(|body| CallsBody::new(body, watched))
        }))
    }
}

fn watch<B>(call: OpenCall, response: &Response<B>) -> (OpenCall, Tail) {
    let (status, headers) = (response.status(), response.headers());
    let is_stream = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    call.answered(status, headers, is_stream);
    let wants_model = headers.get(CACHE_HEADER).is_some_and(|cache| cache != "miss");
    let is_error = status.is_client_error() || status.is_server_error();
    (call, Tail::new(is_stream, is_error, wants_model))
}

/// What is inside ends first: then the log of the call is complete.
#[pinned_drop]
impl<F> PinnedDrop for CallsFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.inner.set(None);
        drop(this.call.take());
    }
}

impl<F> std::fmt::Debug for CallsFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallsFuture")
            .field("is_recorded", &self.call.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_an_api_are_recorded() {
        assert_eq!(api_of(&Method::POST, "/v1/chat/completions"), Some(Api::Chat));
        assert_eq!(api_of(&Method::POST, "/api/v1/messages"), Some(Api::Messages));
        assert_eq!(api_of(&Method::GET, "/v1/models"), None);
        assert_eq!(api_of(&Method::GET, "/v1/chat/completions"), None);
        assert_eq!(api_of(&Method::POST, "/v1/chat/completions/"), None);
    }
}
