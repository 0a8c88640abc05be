//! Readiness under the deadline of the call that waits for it.

use std::{future::poll_fn, task::Poll};

use http::Request;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::{DeadlineLayer, future::elapsed, limits::Limits};
use crate::{Failure, LayerError, LlmRequest};

impl DeadlineLayer {
    /// Makes a service ready for this request within the request's deadline: the layer's own limit, the caller's header, or one set on
    /// the request before. The deadline starts here and is noted on the request, so that the wait counts.
    ///
    /// A service that is ready at once costs no timer and no clock.
    ///
    /// ```
    /// # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
    /// # use example::*;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use tower::{Layer, Service, limit::ConcurrencyLimit};
    /// use tower_llm_layers::{FailureKind, Phase, deadline::DeadlineLayer};
    ///
    /// let one = ConcurrencyLimit::new(ExampleService::default(), 1);
    /// let mut busy = one.clone();
    /// std::future::poll_fn(|cx| Service::<http::Request<ExampleRequest>>::poll_ready(&mut busy, cx)).await.map_err(|_| "not ready")?;
    ///
    /// let layer = DeadlineLayer::new(Duration::from_secs(1));
    /// let (mut service, mut request) = (layer.layer(one), ExampleRequest::of("fine"));
    /// let error = layer.ready(&mut service, &mut request).await.err().ok_or("it is busy")?;
    /// assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The service's own, [`Elapsed`](LayerError::Elapsed) or [`BadDeadline`](LayerError::BadDeadline).
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the service as it was; what it has reserved so far is its own to release.
    pub async fn ready<S, R>(&self, service: &mut S, request: &mut Request<R>) -> Result<(), S::Error>
    where
        S: Service<Request<R>>,
        S::Error: Failure + From<LayerError>,
        R: LlmRequest,
    {
        let first = poll_fn(|cx| Poll::Ready(service.poll_ready(cx))).await;
        if let Poll::Ready(ready) = first {
            return ready;
        }
        let now = Instant::now();
        let limits = Limits::of(self.own, self.header.as_ref(), request)?;
        let call = request.body_mut().call_mut();
        limits.set(call, now);
        let deadline = call.first_token_deadline();
        let ready = poll_fn(|cx| service.poll_ready(cx));
        match deadline {
            None => ready.await,
            Some(deadline) => timeout_at(deadline, ready)
                .await
                .unwrap_or_else(|_| Err(elapsed(deadline.saturating_duration_since(now)))),
        }
    }
}
