//! The service that holds frames back.

use http::{Request, Response};
use tower_service::Service;

use super::{FirstTokenBody, FirstTokenFuture, failing::FailingReasons};
use crate::{
    Frame, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`FirstTokenLayer`](super::FirstTokenLayer).
#[derive(Debug, Clone)]
pub struct FirstToken<S> {
    pub(super) inner: S,
    pub(super) failing: FailingReasons,
}

impl<S> FirstToken<S> {
    inner_accessors!();
}

impl<S, R, B> Service<Request<R>> for FirstToken<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error> + Unpin,
    B::Data: Frame,
{
    type Response = Response<FirstTokenBody<B>>;
    type Error = S::Error;
    type Future = FirstTokenFuture<S::Future, B>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let attempt = request.body().call().attempt();
        FirstTokenFuture::new(attempt, self.failing.clone(), self.inner.call(request))
    }
}
