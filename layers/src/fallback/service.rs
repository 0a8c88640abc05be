//! The service of the chain of candidates.

use http::{Request, Response};
use tower_service::Service;

use super::{Chain, FallbackFuture, Hedge};
use crate::{
    Failure, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`FallbackLayer`](super::FallbackLayer).
#[derive(Debug, Clone)]
pub struct Fallback<S> {
    pub(super) inner: S,
    pub(super) chain: Chain,
    pub(super) hedge: Option<Hedge>,
}

impl<S> Fallback<S> {
    inner_accessors!();

    /// The chain it moves along.
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }
}

impl<S, R, B> Service<Request<R>> for Fallback<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = FallbackFuture<S, R>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let opened = request.body_mut().call_mut().open();
        FallbackFuture::start(&mut self.inner, &self.chain, request, self.hedge.clone(), opened)
    }
}
