//! The service of spans and metrics of an operation.

use std::{fmt, sync::Arc};

use http::{Request, Response};
use tower_service::Service;

use super::{ObserveBody, ObserveFuture, settings::Settings, start::OperationStart};
use crate::{
    Failure, Frame, LlmRequest,
    util::{inner_accessors, ready_as_inner, still},
    watch::{InSpan, WatchFuture},
};

/// The service of [`ObserveLayer`](super::ObserveLayer).
#[derive(Clone)]
pub struct Observe<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

impl<S> Observe<S> {
    inner_accessors!();
}

impl<S, R, B> Service<Request<R>> for Observe<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ObserveBody<B>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future, S::Error>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let _still = still();
        let start = OperationStart::begin(&self.settings, request.body_mut());
        let future = {
            let _inside = start.enter();
            self.inner.call(request)
        };
        WatchFuture::calling(future, start)
    }
}

impl<S: fmt::Debug> fmt::Debug for Observe<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
