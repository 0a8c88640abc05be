//! The service of adaptive concurrency limits.

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    AdaptiveConcurrencyBody, AdaptiveConcurrencyFuture, ConcurrencyLimits,
    future::{ConcurrencyGuard, ConcurrencyWait, shed},
    gate::Entry,
};
use crate::{
    Failure, LayerError, LlmRequest,
    protocol::{route_of, with_candidate},
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`AdaptiveConcurrencyLayer`](super::AdaptiveConcurrencyLayer).
#[derive(Debug, Clone)]
pub struct AdaptiveConcurrency<S> {
    pub(super) inner: S,
    pub(super) limits: ConcurrencyLimits,
}

impl<S> AdaptiveConcurrency<S> {
    inner_accessors!();

    /// The limits.
    pub const fn limits(&self) -> &ConcurrencyLimits {
        &self.limits
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
    type Future = AdaptiveConcurrencyFuture<S, R>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let route = route_of(request.body());
        let gate = with_candidate(request.body(), |candidate| self.limits.of(candidate, route));
        let Some(gate) = gate else {
            return AdaptiveConcurrencyFuture::calling(self.inner.call(request), ConcurrencyGuard::default());
        };
        // A plain answer begins when it is whole, which depends on its length and not on the state of its upstream.
        let timer = request
            .body()
            .is_streaming()
            .then(|| request.body().call().first_token_timer());
        let call = request.body().call();
        match gate.enter(call.priority(), call.remaining()) {
            Ok(Entry::Passed(permit)) => {
                let permit = Some(permit);
                AdaptiveConcurrencyFuture::calling(self.inner.call(request), ConcurrencyGuard { permit, timer })
            }
            Ok(Entry::Waits(turn)) => {
                let since = Instant::now();
                AdaptiveConcurrencyFuture::waiting(&mut self.inner, request, ConcurrencyWait { turn, since, timer })
            }
            Err(saturated) => AdaptiveConcurrencyFuture::refused(shed(saturated)),
        }
    }
}
