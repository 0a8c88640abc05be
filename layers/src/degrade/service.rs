//! The service of degraded answers.

use std::fmt;

use http::{Request, Response};
use tower_service::Service;

use super::{Degradation, DegradeBody, DegradeFuture, future::Fallen, layer::Rules};
use crate::{
    Failure, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`DegradeLayer`](super::DegradeLayer).
#[derive(Clone)]
pub struct Degrade<S, L> {
    pub(super) inner: S,
    pub(super) degradation: L,
    pub(super) rules: Rules,
}

impl<S, L> Degrade<S, L> {
    inner_accessors!();
}

impl<S: fmt::Debug, L> fmt::Debug for Degrade<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Degrade")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, L, R, B> Service<Request<R>> for Degrade<S, L>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    L: Degradation<R, B::Data> + Clone,
{
    type Response = Response<DegradeBody<B>>;
    type Error = S::Error;
    type Future = DegradeFuture<S::Future, R, L, B>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let opened = request.body_mut().call_mut().open();
        let fallen = Fallen {
            original: request.clone(),
            degradation: self.degradation.clone(),
            rules: self.rules.clone(),
            opened,
        };
        DegradeFuture::new(self.inner.call(request), fallen)
    }
}
