//! One call of an adapter: from a client's request to the response of the endpoints.

use std::future::poll_fn;

use http::Request;
use reqwest::Body;
use tower_service::Service;

use crate::ReqwestTransport;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S> ReqwestTransport<S>
where
    Self: Service<Request<Body>, Response = reqwest::Response, Error: Into<BoxError>>,
{
    /// The call of a client that builds reqwest's own request: its timeout is the deadline of the call.
    #[cfg(any(feature = "async-openai", feature = "reqwest-middleware"))]
    pub(crate) async fn execute(mut self, mut request: reqwest::Request) -> Result<reqwest::Response, BoxError> {
        use http::HeaderValue;
        use tower_openrouter::layers::deadline::DEADLINE_HEADER;

        let deadline = request
            .timeout()
            .and_then(|time| HeaderValue::try_from(time.as_millis().to_string()).ok());
        if let Some(deadline) = deadline {
            request.headers_mut().entry(DEADLINE_HEADER).or_insert(deadline);
        }
        self.send(Request::try_from(request)?).await
    }

    /// The call of a client that builds a request of the `http` crate.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<reqwest::Response, BoxError> {
        poll_fn(|cx| self.poll_ready(cx)).await.map_err(Into::into)?;
        self.call(request).await.map_err(Into::into)
    }
}
