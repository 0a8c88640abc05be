//! The service that holds frames back.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{FirstTokenBody, FirstTokenFuture, failing::FailingReasons};
use crate::{Frame, LayerError, LlmRequest, util::inner_accessors};

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

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let attempt = request.body().call().attempt();
        FirstTokenFuture::new(attempt, self.failing.clone(), self.inner.call(request))
    }
}
