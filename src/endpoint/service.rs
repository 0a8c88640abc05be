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

use bytes::{Buf, Bytes};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout};
use tower_llm_layers::{AttemptLog, LlmRequest};
use tower_service::Service;

use super::{
    EndpointBody,
    decode::Coding,
    error::Problem,
    headers::{client_retries, client_timeout, from_client, to_client},
};
use crate::{
    ChatRequest,
    stack::{Answer, ChatService},
};

/// The largest request body by default: prompts with images are large, and more is a mistake.
const LARGEST_BODY: usize = 20 * 1024 * 1024;

/// How long a request's body may take to come: the stack's own timeouts start after it.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// What an [`OpenAiEndpoint`] returns.
pub type EndpointFuture = Pin<Box<dyn Future<Output = Result<Response<EndpointBody>, Infallible>> + Send>>;

/// `POST /v1/chat/completions` over any [`ChatService`]: takes and gives plain HTTP bodies.
///
/// A body with the `Content-Encoding` gzip or deflate is decompressed; any other encoding gets 415. The time that an OpenAI or Anthropic SDK
/// gives its call (`x-stainless-timeout`, in seconds) is a deadline of the call.
///
/// Errors come in OpenAI's shape. A client's `Authorization` is dropped: layers in front of the endpoint authenticate callers.
/// Each response says how many attempts it took ([`ATTEMPTS_HEADER`](super::ATTEMPTS_HEADER)) and which model answered
/// this call, if one did ([`MODEL_HEADER`](super::MODEL_HEADER)).
///
/// # Cancellation
///
/// When the client goes, the server drops the future or the body, and the upstream connection closes.
#[derive(Clone)]
pub struct OpenAiEndpoint<S> {
    stack: S,
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    largest_body: usize,
    headers: Vec<HeaderName>,
}

impl<S> OpenAiEndpoint<S> {
    pub(crate) fn new(stack: S) -> Self {
        Self {
            stack,
            settings: Arc::new(Settings {
                largest_body: LARGEST_BODY,
                headers: Vec::new(),
            }),
        }
    }

    /// The largest request body in bytes; 20 MiB by default. A larger one gets 413, as does one that is larger once it is decompressed.
    #[must_use]
    pub fn largest_body(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.settings).largest_body = bytes;
        self
    }

    /// Passes one more of the client's headers on to the upstream, up to 256 bytes of it; a longer one is left out. It is part of a cache's key, unless `CacheLayer::ignore_header`
    /// names it.
    #[must_use]
    pub fn pass_header(mut self, name: HeaderName) -> Self {
        Arc::make_mut(&mut self.settings).headers.push(name);
        self
    }
}

impl<S> fmt::Debug for OpenAiEndpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiEndpoint")
            .field("largest_body", &self.settings.largest_body)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for OpenAiEndpoint<S>
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
        let (stack, settings) = (self.stack.clone(), Arc::clone(&self.settings));
        Box::pin(async move {
            Ok(match respond(stack, &settings, request).await {
                Ok(response) => response,
                Err(problem) => problem.into_response(),
            })
        })
    }
}

async fn respond<S, B>(stack: S, settings: &Settings, request: Request<B>) -> Result<Response<EndpointBody>, Problem>
where
    S: ChatService,
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    if request.method() != Method::POST {
        let message = format!("{} is not allowed here: use POST", request.method());
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        ));
    }
    let (parts, body) = request.into_parts();
    let coding = Coding::of(&parts.headers)?;
    let mut body = timeout(READ_LIMIT, read(body, settings.largest_body))
        .await
        .map_err(|_| {
            let message = format!("the request body did not come in {READ_LIMIT:?}");
            Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
        })??;
    if let Some(coding) = coding {
        body = coding.decode(body, settings.largest_body).await?;
    }
    let mut chat = ChatRequest::from_json(body).map_err(|error| Problem::of_request(&error))?;
    if let Some(time) = client_timeout(&parts.headers) {
        // After that no client waits for the answer.
        chat.call_mut().limit_deadline(Instant::now() + time);
    }
    if let Some(retries) = client_retries(&parts.headers) {
        tracing::info!(retries, "the client sends this call again");
    }
    let streaming = chat.is_streaming();
    let mut outgoing = chat.into_http();
    *outgoing.headers_mut() = from_client(&parts.headers, &settings.headers);
    // What layers in front have found out, the tenant say, stays with the call.
    *outgoing.extensions_mut() = parts.extensions;

    let response = crate::stack::respond(stack, outgoing)
        .await
        .map_err(|error| Problem::of_failure(&error))?;
    let (head, body) = response.into_parts();
    let attempts = head.extensions.get::<AttemptLog>();
    if streaming {
        let mut response = Response::new(EndpointBody::events(body, &head.extensions));
        *response.headers_mut() = to_client(&head, attempts, "text/event-stream");
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        return Ok(response);
    }
    let headers = to_client(&head, attempts, "application/json");
    let plain = Answer::read_at_once(Response::from_parts(head, body)).plain().await;
    let frame = plain.map_err(|error| Problem::of_failure(&error))?;
    let mut response = Response::new(EndpointBody::whole(frame.into()));
    *response.headers_mut() = headers;
    Ok(response)
}

async fn read<B>(body: B, largest: usize) -> Result<Bytes, Problem>
where
    B: Body<Data: Buf, Error: Into<Box<dyn StdError + Send + Sync>>>,
{
    let collected = Limited::new(body, largest).collect().await.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            return Problem::too_large(largest);
        }
        Problem::new(
            StatusCode::BAD_REQUEST,
            "unreadable_body",
            "the request body ended before it was complete",
        )
    })?;
    Ok(collected.to_bytes())
}
