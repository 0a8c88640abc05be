//! The adapter of rig.

use std::{fmt, future::Future};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderMap, Request, Response};
use reqwest::Body;
use rig_core::{
    http_client::{Error, HttpClientExt, LazyBody, MultipartForm, Result, StreamingResponse, sse::BoxedStream},
    wasm_compat::WasmCompatSend,
};
use tower_openrouter::{
    ChatService, Stack,
    endpoint::{Endpoints, Envelope},
};
use tower_service::Service;

use crate::{ReqwestTransport, rig_events::RigEvents};

/// A stack as the HTTP client of rig's providers: `openai` (responses and chat completions), `openrouter`, `anthropic`, and others with one of
/// these APIs. Agents, tools, extractors and embeddings work on it unchanged.
///
/// ```
/// use rig_core::providers::openrouter;
/// use tower_openrouter::{ApiKey, Stack};
/// use tower_openrouter_adapters::RigTransport;
///
/// # fn run(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(key).chain(["openai/gpt-5", "openai/gpt-4o-mini"]).build()?;
/// let client: openrouter::Client<RigTransport> = openrouter::Client::builder()
///     .api_key("the stack has its own")
///     .http_client(RigTransport::new(stack))
///     .build()?;
/// # Ok(())
/// # }
/// ```
///
/// **No second retry.** rig's providers send a call once. Its event source retries transport failures, if it is polled on after an error; the
/// providers do not, and this transport has none in mid-stream.
///
/// # Errors
///
/// * If no answer began, `http_client::Error::InvalidStatusCodeWithDetails`, from which rig makes the error of its provider: `CompletionError` has
///   our status (`provider_response_status`), the envelope (`provider_response_json`) and `retry-after` (`provider_response_headers`). A call that
///   is none of the stack's gets 404.
/// * A stream that is interrupted ends with an error of the provider, whose body has our words.
/// * `http_client::Error::Instance` is a failure of a layer around the endpoints.
///
/// # Cancellation
///
/// Dropping the future or the stream drops the call, and the connection upstream closes.
pub struct RigTransport<S = Endpoints<Stack>>(Option<ReqwestTransport<S>>);

impl<S: ChatService> RigTransport<Endpoints<S>> {
    /// The transport over this stack.
    pub fn new(stack: S) -> Self {
        Self(Some(ReqwestTransport::new(stack)))
    }
}

impl<S> RigTransport<S> {
    /// The transport over endpoints that are set already, or that have layers around them: see [`ReqwestTransport::over`].
    pub const fn over(endpoints: S) -> Self {
        Self(Some(ReqwestTransport::over(endpoints)))
    }

    /// Whose error envelope it writes, whatever the path.
    #[must_use]
    pub fn envelope(self, envelope: Envelope) -> Self {
        Self(self.0.map(|transport| transport.envelope(envelope)))
    }
}

/// Without a stack, since rig's models require a default: each call is an error.
impl<S> Default for RigTransport<S> {
    fn default() -> Self {
        Self(None)
    }
}

impl<S: Clone> Clone for RigTransport<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for RigTransport<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RigTransport").field(&self.0).finish()
    }
}

impl<S> RigTransport<S>
where
    S: Clone,
    ReqwestTransport<S>: Service<Request<Body>, Response = reqwest::Response, Error: Into<BoxError>>,
{
    /// The response, if its status is a good one.
    fn respond(&self, request: Request<Body>) -> impl Future<Output = Result<reqwest::Response>> + use<S> {
        let transport = self.0.clone();
        async move {
            let mut transport = transport.ok_or_else(|| Error::Instance(NO_STACK.into()))?;
            let response = transport.send(request).await.map_err(Error::Instance)?;
            if response.status().is_success() {
                return Ok(response);
            }
            let (status, headers) = (response.status(), Box::new(response.headers().clone()));
            let body = response.text().await.map_err(|error| Error::Instance(error.into()))?;
            Err(Error::InvalidStatusCodeWithDetails { status, body, headers })
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const NO_STACK: &str = "a `RigTransport` by default has no stack: make it with `RigTransport::new(stack)`";

impl<S> HttpClientExt for RigTransport<S>
where
    S: Clone + Send + Sync + 'static,
    ReqwestTransport<S>: Service<Request<Body>, Response = reqwest::Response, Error: Into<BoxError>, Future: Send>,
{
    fn send<T, U>(
        &self,
        request: Request<T>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + WasmCompatSend + 'static
    where
        T: Into<Bytes> + WasmCompatSend,
        U: From<Bytes> + WasmCompatSend + 'static,
    {
        let answer = self.respond(request.map(|body| Body::from(body.into())));
        async move { Ok(lazy(answer.await?)) }
    }

    fn send_multipart<U>(
        &self,
        request: Request<MultipartForm>,
    ) -> impl Future<Output = Result<Response<LazyBody<U>>>> + WasmCompatSend + 'static
    where
        U: From<Bytes> + WasmCompatSend + 'static,
    {
        // No call that the stack knows has a form, so the answer is 404 whatever it holds.
        let answer = self.respond(request.map(|_| Body::default()));
        async move { Ok(lazy(answer.await?)) }
    }

    fn send_streaming<T>(&self, request: Request<T>) -> impl Future<Output = Result<StreamingResponse>> + WasmCompatSend
    where
        T: Into<Bytes> + WasmCompatSend,
    {
        let answer = self.respond(request.map(|body| Body::from(body.into())));
        async move {
            let response = answer.await?;
            let (status, headers) = head(&response);
            let pieces = response.bytes_stream().map_err(|error| Error::Instance(error.into()));
            let events: BoxedStream = Box::pin(RigEvents::new(Box::pin(pieces)));
            Ok(with_head(events, status, headers))
        }
    }
}

fn lazy<U: From<Bytes> + WasmCompatSend + 'static>(response: reqwest::Response) -> Response<LazyBody<U>> {
    let (status, headers) = head(&response);
    let body: LazyBody<U> = Box::pin(async move {
        let bytes = response.bytes().await.map_err(|error| Error::Instance(error.into()))?;
        Ok(bytes.into())
    });
    with_head(body, status, headers)
}

fn head(response: &reqwest::Response) -> (http::StatusCode, HeaderMap) {
    (response.status(), response.headers().clone())
}

fn with_head<B>(body: B, status: http::StatusCode, headers: HeaderMap) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
