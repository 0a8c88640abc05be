//! The adapter of reqwest-middleware.

use std::io;

use http::{Extensions, Request};
use reqwest::Body;
use reqwest_middleware::{Error, Middleware, Next, Result};
use tower_openrouter::{
    ChatService, Stack,
    endpoint::{Endpoints, Envelope},
};
use tower_service::Service;

use crate::ReqwestTransport;

/// A stack as the last middleware of a `reqwest_middleware::ClientWithMiddleware`: it answers in the place of the network.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use tower_openrouter::{ApiKey, Stack};
/// use tower_openrouter_adapters::MiddlewareTransport;
///
/// # fn run(key: ApiKey) -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(key).chain(["openai/gpt-5", "openai/gpt-4o-mini"]).build()?;
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(MiddlewareTransport::new(stack))
///     .build();
/// # Ok(())
/// # }
/// ```
///
/// Middleware added before it sees each call and its response; middleware added after it is never reached. Leave out one that retries: its calls
/// would pass through the whole stack again.
///
/// # Errors
///
/// Statuses of 400 and more are responses, as reqwest has them. [`Error::Middleware`] is a failure of a layer around the endpoints.
///
/// # Cancellation
///
/// Dropping the future or the response drops the call, and the connection upstream closes.
#[derive(Debug, Clone)]
pub struct MiddlewareTransport<S = Endpoints<Stack>>(ReqwestTransport<S>);

impl<S: ChatService> MiddlewareTransport<Endpoints<S>> {
    /// The transport over this stack.
    pub fn new(stack: S) -> Self {
        Self(ReqwestTransport::new(stack))
    }
}

impl<S> MiddlewareTransport<S> {
    /// The transport over endpoints that are set already, or that have layers around them: see [`ReqwestTransport::over`].
    pub const fn over(endpoints: S) -> Self {
        Self(ReqwestTransport::over(endpoints))
    }

    /// Whose error envelope it writes, whatever the path.
    #[must_use]
    pub fn envelope(self, envelope: Envelope) -> Self {
        Self(self.0.envelope(envelope))
    }
}

#[async_trait::async_trait]
impl<S> Middleware for MiddlewareTransport<S>
where
    S: Clone + Send + Sync + 'static,
    ReqwestTransport<S>: Service<
            Request<Body>,
            Response = reqwest::Response,
            Error: Into<Box<dyn std::error::Error + Send + Sync>>,
            Future: Send,
        >,
{
    async fn handle(&self, request: reqwest::Request, _: &mut Extensions, _: Next<'_>) -> Result<reqwest::Response> {
        let answer = self.0.clone().execute(request).await;
        // Boxed errors are no `Error`; this one shows what it holds, and gives it back.
        answer.map_err(|error| Error::middleware(io::Error::other(error)))
    }
}
