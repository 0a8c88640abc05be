//! One API as a service of its own.

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    EndpointBody, Envelope,
    envelope::Shape,
    exchange::answer,
    settings::{Settings, setters},
};
use crate::{Api, stack::ChatService};

/// What an endpoint returns.
pub type EndpointFuture = Pin<Box<dyn Future<Output = Result<Response<EndpointBody>, Infallible>> + Send>>;

/// `POST /v1/chat/completions`: the [endpoint](ApiEndpoint) that
/// [`into_openai_endpoint`](crate::ChatServiceExt::into_openai_endpoint) makes.
pub type OpenAiEndpoint<S> = ApiEndpoint<S>;

/// One API over any [`ChatService`]: takes and gives plain HTTP bodies, whatever the path. [`Endpoints`](super::Endpoints) has all of them.
///
/// A body with the `Content-Encoding` gzip or deflate is decompressed; any other encoding gets 415. The time that an OpenAI or Anthropic SDK
/// gives its call (`x-stainless-timeout` or `x-stainless-read-timeout`, in seconds) bounds a plain call, and of a streamed one the time until the
/// answer begins.
///
/// Errors come in the shape of the API and of its [`Envelope`]. A client's `Authorization`, `x-api-key` and cookies are dropped: layers in
/// front of the endpoint authenticate callers. Each response says how many attempts it took ([`ATTEMPTS_HEADER`](super::ATTEMPTS_HEADER))
/// and which model and which provider answered this call, if one did ([`MODEL_HEADER`](super::MODEL_HEADER),
/// [`PROVIDER_HEADER`](super::PROVIDER_HEADER)).
///
/// # Cancellation
///
/// When the client goes, the server drops the future or the body, and the upstream connection closes.
#[derive(Clone)]
pub struct ApiEndpoint<S> {
    stack: S,
    shape: Shape,
    settings: Arc<Settings>,
}

impl<S> ApiEndpoint<S> {
    pub(crate) fn new(stack: S, api: Api) -> Self {
        let envelope = Envelope::OpenAi;
        Self {
            stack,
            shape: Shape { api, envelope },
            settings: Arc::default(),
        }
    }

    /// Whose error envelope it writes; OpenAI's by default.
    #[must_use]
    pub const fn envelope(mut self, envelope: Envelope) -> Self {
        self.shape.envelope = envelope;
        self
    }

    setters!();
}

impl<S> fmt::Debug for ApiEndpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiEndpoint")
            .field("api", &self.shape.api)
            .field("envelope", &self.shape.envelope)
            .field("max_body_bytes", &self.settings.max_body_bytes)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for ApiEndpoint<S>
where
    S: ChatService,
    B: Body<Data: Buf + Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<EndpointBody>;
    type Error = Infallible;
    type Future = EndpointFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The stack is made ready for each call: a server must not wait before it has read the request.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> EndpointFuture {
        let (stack, settings, shape) = (self.stack.clone(), Arc::clone(&self.settings), self.shape);
        Box::pin(async move { Ok(answer(stack, shape, settings, request).await) })
    }
}
