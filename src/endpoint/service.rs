//! One API as a service of its own.

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Buf;
use http::{HeaderName, Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{EndpointBody, Envelope, envelope::Shape, exchange::answer, upload::UploadLimits, waiting::KeepAlive};
use crate::{Api, stack::ChatService};

/// The largest request body by default: prompts with images are large, and more is a mistake.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// What an endpoint returns.
pub type EndpointFuture = Pin<Box<dyn Future<Output = Result<Response<EndpointBody>, Infallible>> + Send>>;

/// `POST /v1/chat/completions`: the [endpoint](ApiEndpoint) that
/// [`into_openai_endpoint`](crate::ChatServiceExt::into_openai_endpoint) makes.
pub type OpenAiEndpoint<S> = ApiEndpoint<S>;

/// One API over any [`ChatService`]: takes and gives plain HTTP bodies, whatever the path. [`Endpoints`](super::Endpoints) has all of them.
///
/// A body with the `Content-Encoding` gzip or deflate is decompressed; any other encoding gets 415. The time that an OpenAI or Anthropic SDK
/// gives its call (`x-stainless-timeout`, in seconds) bounds a plain call, and of a streamed one the time until the answer begins.
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

/// What the endpoints of a stack have in common.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) largest_body: usize,
    pub(super) upload: UploadLimits,
    pub(super) headers: Vec<HeaderName>,
    pub(super) keep_alive: Option<KeepAlive>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            largest_body: LARGEST_BODY,
            upload: UploadLimits::default(),
            headers: Vec::new(),
            keep_alive: Some(KeepAlive::default()),
        }
    }
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

    /// The largest request body in bytes; 20 MiB by default. A larger one gets 413, as does one that is larger once it is decompressed.
    #[must_use]
    pub fn largest_body(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.settings).largest_body = bytes;
        self
    }

    /// The longest time in which nothing of a request body comes; 30 s by default. A body that stalls for longer gets 408, and so does one that is
    /// slower than [`min_body_rate`](Self::min_body_rate).
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.settings).upload.timeout = timeout;
        self
    }

    /// The least rate of a request body in bytes per second, counted from [`body_timeout`](Self::body_timeout) after its head; 4096 by default, and 0 sets
    /// none. A large body over a slow line takes as long as it needs, and a client that sends single bytes does not hold a call open.
    #[must_use]
    pub fn min_body_rate(mut self, bytes_per_second: u32) -> Self {
        Arc::make_mut(&mut self.settings).upload.min_rate = bytes_per_second;
        self
    }

    /// Passes one more of the client's headers on to the upstream, up to 256 bytes of it, of `anthropic-beta` and `x-anthropic-beta` up to
    /// 4 KiB; a longer one is left out with a warning. It is part of a cache's key, unless `CacheLayer::ignore_header` names it. A header with the client's key or cookies is never passed on.
    #[must_use]
    pub fn pass_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.settings).headers.push(name);
        self
    }

    /// When a streamed answer that has not begun shows a sign of life: `after` this long its head goes out, `200` and `text/event-stream`, and
    /// `every` so often, once a second at most, a comment, for messages a `ping`, until the answer begins. 25 s and 15 s by default, because
    /// load balancers and proxies close a connection that is silent for 60 s.
    ///
    /// What is known only later is then missing from the head: the upstream's id and the status of a failure. The `x-llm-*` headers come as comments. A failure
    /// is the last event of the stream, as that of an interrupted one. Plain calls are not concerned.
    #[must_use]
    pub fn keep_alive(mut self, after: Duration, every: Duration) -> Self {
        Arc::make_mut(&mut self.settings).keep_alive = Some(KeepAlive::new(after, every));
        self
    }

    /// Sends nothing of a streamed answer before its first token: each failure before it has its own status. See
    /// [`keep_alive`](Self::keep_alive).
    #[must_use]
    pub fn without_keep_alive(mut self) -> Self {
        Arc::make_mut(&mut self.settings).keep_alive = None;
        self
    }
}

impl<S> fmt::Debug for ApiEndpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiEndpoint")
            .field("api", &self.shape.api)
            .field("envelope", &self.shape.envelope)
            .field("largest_body", &self.settings.largest_body)
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
