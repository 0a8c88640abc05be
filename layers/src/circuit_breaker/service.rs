use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{CircuitBreakerBody, CircuitBreakerFuture, Circuits, admitted::Admitted};
use crate::{Candidate, Failure, LayerError, LlmRequest, macros::inner_accessors};

/// The service of [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
#[derive(Debug, Clone)]
pub struct CircuitBreaker<S> {
    pub(super) inner: S,
    pub(super) circuits: Option<Circuits>,
}

impl<S> CircuitBreaker<S> {
    inner_accessors!();

    /// The circuits; `None` where it is off.
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
        let circuit = self.circuits.as_ref().and_then(|circuits| {
            let call = request.body().call();
            match call.candidate() {
                Some(candidate) => circuits.of(candidate),
                // Without a chain the model alone tells candidates apart.
                None => circuits.of(&Candidate::new("upstream", request.body().model()?).ok()?),
            }
        });
        let Some(circuit) = circuit else {
            return CircuitBreakerFuture::passed(self.inner.call(request), None);
        };
        match Admitted::at(circuit, request.body()) {
            Ok(admitted) => CircuitBreakerFuture::passed(self.inner.call(request), Some(admitted)),
            Err(open) => CircuitBreakerFuture::refused(open.into()),
        }
    }
}
