use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{CircuitBreakerBody, CircuitBreakerFuture, Circuits, admitted::Admitted, watch::CircuitStart};
use crate::{
    Failure, LayerError, LlmRequest,
    protocol::{route_of, with_candidate},
    util::inner_accessors,
    watch::WatchFuture,
};

/// The service of [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
#[derive(Debug, Clone)]
pub struct CircuitBreaker<S> {
    pub(super) inner: S,
    pub(super) circuits: Option<Circuits>,
}

impl<S> CircuitBreaker<S> {
    inner_accessors!();

    /// The circuits; `None` if it is off.
    pub const fn circuits(&self) -> Option<&Circuits> {
        self.circuits.as_ref()
    }
}

impl<S, R, B> Service<Request<R>> for CircuitBreaker<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
{
    type Response = Response<CircuitBreakerBody<B>>;
    type Error = S::Error;
    type Future = CircuitBreakerFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let circuits = self.circuits.as_ref();
        let circuit = circuits.and_then(|circuits| {
            let route = route_of(request.body());
            with_candidate(request.body(), |candidate| circuits.of(candidate, route))
        });
        let Some(circuit) = circuit else {
            return WatchFuture::calling(self.inner.call(request), CircuitStart(None));
        };
        match Admitted::at(circuit, request.body()) {
            Ok(admitted) => WatchFuture::calling(self.inner.call(request), CircuitStart(Some(admitted))),
            Err(open) => WatchFuture::refused(open.into()),
        }
    }
}
