use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    AdaptiveConcurrencyBody, AdaptiveConcurrencyFuture, ConcurrencyLimits,
    future::{Placed, Queued, shed},
    gate::Entry,
};
use crate::{
    Failure, LayerError, LlmRequest,
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
    type Future = AdaptiveConcurrencyFuture<S, R>;

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
            return AdaptiveConcurrencyFuture::calling(self.inner.call(request), Placed::default());
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
                AdaptiveConcurrencyFuture::calling(self.inner.call(request), Placed { permit, timer })
            }
            Ok(Entry::Waits(turn)) => {
                let since = Instant::now();
                AdaptiveConcurrencyFuture::waiting(&mut self.inner, request, Queued { turn, since, timer })
            }
            Err(saturated) => AdaptiveConcurrencyFuture::refused(shed(saturated)),
        }
    }
}
