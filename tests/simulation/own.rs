//! A user's own layer around each attempt: sends a failed one again, once.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::Request;
use tower::{Layer, Service, ServiceExt};
use tower_openrouter::ApiRequest;

/// Puts [`Repeat`] around a service.
#[derive(Clone, Copy)]
pub(crate) struct RepeatLayer;

impl<S> Layer<S> for RepeatLayer {
    type Service = Repeat<S>;

    fn layer(&self, inner: S) -> Repeat<S> {
        Repeat(inner)
    }
}

/// Sends a failed attempt again.
#[derive(Clone)]
pub(crate) struct Repeat<S>(S);

impl<S> Service<Request<ApiRequest>> for Repeat<S>
where
    S: Service<Request<ApiRequest>, Future: Send, Error: Send, Response: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        let clone = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, clone);
        Box::pin(async move {
            match ready.call(request.clone()).await {
                Ok(response) => Ok(response),
                Err(_) => ready.ready().await?.call(request).await,
            }
        })
    }
}
