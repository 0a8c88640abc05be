//! The service of timeouts of one attempt.

use http::{Request, Response};
use tower_service::Service;

use super::{AttemptTimeoutBody, AttemptTimeoutFuture, Timeouts};
use crate::{
    Failure, Frame, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`AttemptTimeoutLayer`](super::AttemptTimeoutLayer).
#[derive(Debug, Clone)]
pub struct AttemptTimeout<S> {
    pub(super) inner: S,
    pub(super) timeouts: Timeouts,
}

impl<S> AttemptTimeout<S> {
    inner_accessors!();

    /// The limits of one attempt.
    pub const fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

impl<S, R, B> Service<Request<R>> for AttemptTimeout<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<AttemptTimeoutBody<B>>;
    type Error = S::Error;
    type Future = AttemptTimeoutFuture<S::Future>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let body = request.body();
        let call = body.call();
        let (own, candidate) = (call.own_timeouts(), call.candidate_timeouts());
        let limits = self.timeouts.adapted(body.reasoning_time(), own, candidate);
        let start = limits.start(body.is_streaming(), call.is_last());
        let line = call.attempt();
        AttemptTimeoutFuture::new(self.inner.call(request), start, limits.of_answer(), line)
    }
}
