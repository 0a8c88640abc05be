use std::{
    mem,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{AdaptiveConcurrencyBody, AdaptiveConcurrencyFuture, ConcurrencyLimits, gate::Entry};
use crate::{
    Failure, LayerError, LlmRequest, Priority, metering,
    protocol::{route_of, with_candidate},
    util::inner_accessors,
};

/// The service of [`AdaptiveConcurrencyLayer`](super::AdaptiveConcurrencyLayer).
#[derive(Debug, Clone)]
pub struct AdaptiveConcurrency<S> {
    pub(super) inner: S,
    pub(super) limits: Option<ConcurrencyLimits>,
}

impl<S> AdaptiveConcurrency<S> {
    inner_accessors!();

    /// The limits; `None` if it is off.
    pub const fn limits(&self) -> Option<&ConcurrencyLimits> {
        self.limits.as_ref()
    }
}

impl<S, R, B> Service<Request<R>> for AdaptiveConcurrency<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
{
    type Response = Response<AdaptiveConcurrencyBody<B>>;
    type Error = S::Error;
    type Future = AdaptiveConcurrencyFuture<S, Request<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let limits = self.limits.as_ref();
        let gate = limits.and_then(|limits| {
            let route = route_of(request.body());
            with_candidate(request.body(), |candidate| limits.of(candidate, route))
        });
        let Some(gate) = gate else {
            return AdaptiveConcurrencyFuture::unlimited(self.inner.call(request));
        };
        // A plain answer begins when it is whole, which depends on its length and not on the state of its upstream.
        let timer = request
            .body()
            .is_streaming()
            .then(|| request.body().call().first_token_timer());
        let priority = request.extensions().get::<Priority>().copied().unwrap_or_default();
        match gate.enter(priority, request.body().call().remaining()) {
            Ok(Entry::Passed(permit)) => AdaptiveConcurrencyFuture::passed(self.inner.call(request), permit, timer),
            Ok(Entry::Waits(turn)) => {
                // The service that is ready waits with the request; its clone stays here.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                AdaptiveConcurrencyFuture::waiting((ready, request), turn, timer)
            }
            Err(saturated) => {
                metering::refused("adaptive_concurrency", "concurrency");
                tracing::debug!(why = %saturated, "attempt shed");
                AdaptiveConcurrencyFuture::refused(saturated)
            }
        }
    }
}
