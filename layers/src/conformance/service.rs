//! The service that checks answers against what was requested.

use std::{fmt, sync::Arc};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{BufferedStream, ConformanceBody, ConformanceCheck, ConformanceFuture};
use crate::{
    Failure, Frame, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`ConformanceLayer`](super::ConformanceLayer).
pub struct Conformance<S, C> {
    pub(super) inner: S,
    pub(super) check: Arc<C>,
    pub(super) streams: bool,
}

impl<S, C> Conformance<S, C> {
    inner_accessors!();
}

impl<S: Clone, C> Clone for Conformance<S, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            check: Arc::clone(&self.check),
            streams: self.streams,
        }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Conformance<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conformance")
            .field("inner", &self.inner)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

impl<S, C, R, B> Service<Request<R>> for Conformance<S, C>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    C: ConformanceCheck<R, B::Data>,
    R: LlmRequest,
    B: Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ConformanceBody<B>>;
    type Error = S::Error;
    type Future = ConformanceFuture<S::Future, B, R, C>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let is_shown = request.body().is_streaming() && request.extensions().get::<BufferedStream>().is_none();
        let is_checked = (self.streams || !is_shown) && self.check.applies_to(request.body());
        // A copy costs a reference count; the request itself is sent.
        let checked = is_checked.then(|| (Arc::clone(&self.check), request.body().clone()));
        ConformanceFuture::new(self.inner.call(request), checked)
    }
}
