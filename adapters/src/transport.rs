//! The plain adapter: a tower service over reqwest's own types.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body::Body as HttpBody;
use pin_project::pin_project;
use reqwest::{Body, ResponseBuilderExt, Url};
use tower_openrouter::{
    ChatService, ChatServiceExt, Stack,
    endpoint::{Endpoints, Envelope},
    layers::deadline::DEADLINE_HEADER,
};
use tower_service::Service;

use crate::path::endpoint_path;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A stack as a tower service over reqwest's types: `http::Request<reqwest::Body>` in, [`reqwest::Response`] out.
///
/// Nothing of it opens a connection: the response is the one of [`Endpoints`], in the process. Its URL is that of the request. A body that
/// comes in pieces passes in pieces, and an interrupted stream ends as that of a mounted stack: with the event that clients raise as an error.
///
/// Which call it is, the path decides: see the [crate](crate). Errors are responses, in the envelope of OpenRouter if the path ends in
/// `/api/v1/…`, else of OpenAI.
///
/// # Errors
///
/// Those of the service inside: [`Endpoints`] have none.
///
/// # Cancellation
///
/// Dropping the future or the response drops the call, and the connection upstream closes.
#[derive(Clone)]
pub struct ReqwestTransport<S = Endpoints<Stack>> {
    endpoints: S,
    envelope: Option<Envelope>,
}

impl<S: ChatService> ReqwestTransport<Endpoints<S>> {
    /// The transport over this stack, or over any other service of its kind.
    pub fn new(stack: S) -> Self {
        Self::over(stack.into_endpoints())
    }
}

impl<S> ReqwestTransport<S> {
    /// The transport over endpoints that are set already, or that have layers around them. A layer sees what the client sends, and may leave
    /// [`Tags`](tower_openrouter::Tags) in a request's extensions:
    ///
    /// ```
    /// use http::Request;
    /// use tower::ServiceBuilder;
    /// use tower_openrouter::{ApiKey, ChatServiceExt, Stack, Tags};
    /// use tower_openrouter_adapters::ReqwestTransport;
    ///
    /// # fn run(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
    /// let stack = Stack::openrouter(key).chain(["openai/gpt-5"]).build()?;
    /// let nightly = Tags::new([("job", "nightly")])?;
    /// let endpoints = ServiceBuilder::new()
    ///     .map_request(move |mut request: Request<reqwest::Body>| {
    ///         request.extensions_mut().insert(nightly.clone());
    ///         request
    ///     })
    ///     .service(stack.into_endpoints());
    /// let transport = ReqwestTransport::over(endpoints);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn over(endpoints: S) -> Self {
        Self {
            endpoints,
            envelope: None,
        }
    }

    /// Whose error envelope it writes, whatever the path.
    #[must_use]
    pub const fn envelope(mut self, envelope: Envelope) -> Self {
        self.envelope = Some(envelope);
        self
    }
}

impl<S, B> Service<Request<Body>> for ReqwestTransport<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    type Response = reqwest::Response;
    type Error = S::Error;
    type Future = ReqwestFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.endpoints.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let url = request
            .uri()
            .scheme()
            .and_then(|_| Url::parse(&request.uri().to_string()).ok());
        if let Some(path) = endpoint_path(request.uri(), self.envelope) {
            *request.uri_mut() = path.into();
        }
        ReqwestFuture {
            answer: self.endpoints.call(request),
            url,
        }
    }
}

#[cfg(any(feature = "async-openai", feature = "rig", feature = "reqwest-middleware"))]
impl<S> ReqwestTransport<S>
where
    Self: Service<Request<Body>, Response = reqwest::Response, Error: Into<BoxError>>,
{
    /// One call with a request of reqwest's own: its timeout is the deadline of the call.
    pub(crate) async fn execute(mut self, mut request: reqwest::Request) -> Result<reqwest::Response, BoxError> {
        let deadline = request
            .timeout()
            .and_then(|time| HeaderValue::try_from(time.as_millis().to_string()).ok());
        if let Some(deadline) = deadline {
            request.headers_mut().entry(DEADLINE_HEADER).or_insert(deadline);
        }
        self.send(Request::try_from(request)?).await
    }

    /// The same with a request of the `http` crate.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<reqwest::Response, BoxError> {
        poll_fn(|cx| self.poll_ready(cx)).await.map_err(Into::into)?;
        self.call(request).await.map_err(Into::into)
    }
}

impl<S> fmt::Debug for ReqwestTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport")
            .field("envelope", &self.envelope)
            .finish_non_exhaustive()
    }
}

/// What a [`ReqwestTransport`] returns.
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct ReqwestFuture<F> {
    #[pin]
    answer: F,
    /// The URL of the request.
    url: Option<Url>,
}

impl<F, B, E> Future for ReqwestFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    type Output = Result<reqwest::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match ready!(this.answer.poll(cx)) {
            Ok(response) => response.map(Body::wrap),
            Err(error) => return Poll::Ready(Err(error)),
        };
        // reqwest finds the URL in an extension that only its builder can write.
        let marked = this.url.take().map(|url| Response::builder().url(url).body(()));
        if let Some(Ok(marked)) = marked {
            response.extensions_mut().extend(marked.into_parts().0.extensions);
        }
        Poll::Ready(Ok(response.into()))
    }
}
