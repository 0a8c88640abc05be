//! The adapter of async-openai.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use http::Request;
use reqwest::Body;
use tower_openrouter::{
    ChatService, Stack,
    endpoint::{Endpoints, Envelope},
};
use tower_service::Service;

use crate::{ReqwestTransport, openai_error::api_error};

/// A stack as the HTTP service of async-openai's `Client`: chat completions, responses, embeddings and models, with its own types.
///
/// ```
/// use async_openai::Client;
/// use tower_openrouter::{ApiKey, Stack};
/// use tower_openrouter_adapters::AsyncOpenAiTransport;
///
/// # fn run(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(key).chain(["openai/gpt-5", "openai/gpt-4o-mini"]).build()?;
/// let client = Client::new().with_http_service(AsyncOpenAiTransport::new(stack));
/// # Ok(())
/// # }
/// ```
///
/// **No second retry.** A client with a service of its own has none of async-openai's retries. If its `OpenAIRetryLayer` or
/// `SimpleRetryPolicy` stands around this service all the same, it has nothing to retry: a failed call is an error here, not a response
/// with a status.
///
/// # Errors
///
/// * `OpenAIError::ApiError` if no answer began, also for a status of 500 and more: with our status, message, type, parameter, and the word for
///   the failure in `code`. A call that is none of the stack's gets 404 and `unknown_url`. There is no room for a `retry-after`.
/// * A stream that is interrupted ends with an error: [`stream_error`](crate::stream_error) reads it.
/// * `OpenAIError::Boxed` is a failure of a layer around the endpoints.
///
/// # Cancellation
///
/// Dropping the future or the stream drops the call, and the connection upstream closes.
#[derive(Debug, Clone)]
pub struct AsyncOpenAiTransport<S = Endpoints<Stack>>(ReqwestTransport<S>);

impl<S: ChatService> AsyncOpenAiTransport<Endpoints<S>> {
    /// The transport over this stack.
    pub fn new(stack: S) -> Self {
        Self::of(ReqwestTransport::new(stack))
    }
}

impl<S> AsyncOpenAiTransport<S> {
    /// The transport over endpoints that are set already, or that have layers around them: see [`ReqwestTransport::over`].
    pub fn over(endpoints: S) -> Self {
        Self::of(ReqwestTransport::over(endpoints))
    }

    /// Its types read OpenAI's envelope alone, also with the base URL of OpenRouter.
    fn of(transport: ReqwestTransport<S>) -> Self {
        Self(transport.envelope(Envelope::OpenAi))
    }
}

impl<S> Service<HttpRequestFactory> for AsyncOpenAiTransport<S>
where
    S: Clone + Send + 'static,
    ReqwestTransport<S>: Service<
            Request<Body>,
            Response = reqwest::Response,
            Error: Into<Box<dyn std::error::Error + Send + Sync>>,
            Future: Send,
        >,
{
    type Response = reqwest::Response;
    type Error = OpenAIError;
    type Future = AsyncOpenAiFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        // The endpoints are made ready for each call: the request is built before.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> AsyncOpenAiFuture {
        let transport = self.0.clone();
        AsyncOpenAiFuture(Box::pin(async move {
            let request = request.build().await?;
            let response = transport.execute(request).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            Err(api_error(response).await)
        }))
    }
}

/// What an [`AsyncOpenAiTransport`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct AsyncOpenAiFuture(Pin<Box<dyn Future<Output = Result<reqwest::Response, OpenAIError>> + Send>>);

impl Future for AsyncOpenAiFuture {
    type Output = Result<reqwest::Response, OpenAIError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for AsyncOpenAiFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncOpenAiFuture").finish_non_exhaustive()
    }
}
