//! The service of circuits.

use http::{Request, Response};
use tower_service::Service;

use super::{CircuitBreakerBody, CircuitBreakerFuture, Circuits, admitted::Admitted, watch::CircuitStart};
use crate::{
    Failure, LayerError, LlmRequest,
    protocol::{route_of, with_candidate},
    util::{inner_accessors, ready_as_inner},
    watch::WatchFuture,
};

/// The service of [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
#[derive(Debug, Clone)]
pub struct CircuitBreaker<S> {
    pub(super) inner: S,
    pub(super) circuits: Circuits,
}

impl<S> CircuitBreaker<S> {
    inner_accessors!();

    /// The circuits.
    pub const fn circuits(&self) -> &Circuits {
        &self.circuits
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

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let route = route_of(request.body());
        let circuit = with_candidate(request.body(), |candidate| self.circuits.of(candidate, route));
        let Some(circuit) = circuit else {
            return WatchFuture::calling(self.inner.call(request), CircuitStart(None));
        };
        match Admitted::at(circuit, request.body()) {
            Ok(admitted) => WatchFuture::calling(self.inner.call(request), CircuitStart(Some(admitted))),
            Err(open) => WatchFuture::refused(open.into()),
        }
    }
}
