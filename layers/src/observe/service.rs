use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{ObserveBody, ObserveFuture, attempt, operation, settings::Settings};
use crate::{AttemptLog, Failure, Frame, LlmRequest, macros::inner_accessors};

/// The service of [`ObserveLayer`](super::ObserveLayer).
#[derive(Clone)]
pub struct Observe<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

/// The service of [`ObserveAttemptLayer`](super::ObserveAttemptLayer).
#[derive(Clone)]
pub struct ObserveAttempt<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

impl<S> Observe<S> {
    inner_accessors!();
}

impl<S> ObserveAttempt<S> {
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
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let (record, opened) = operation::begin(&self.settings, request.body_mut());
        let inside = record.enter();
        let future = self.inner.call(request);
        drop(inside);
        ObserveFuture::new(future, record, opened)
    }
}

impl<S, R, B> Service<Request<R>> for ObserveAttempt<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ObserveBody<B>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let mut record = attempt::begin(&self.settings, request.body());
        if !record.is_running() {
            return ObserveFuture::new(self.inner.call(request), record, None);
        }
        let opened = request.body_mut().call_mut().open();
        let log = request.body().call().attempts();
        let number = || log.as_ref().map_or(0, AttemptLog::last_number);
        let before = number();
        let inside = record.enter();
        let future = self.inner.call(request);
        drop(inside);
        // The layer below begins it at once, and calls inwards; where it does not count at all, its number stays 0.
        match number() {
            now if now > before => record.numbered(now),
            0 => {}
            _ => record.never_sent(),
        }
        ObserveFuture::new(future, record, Some(opened))
    }
}

impl<S: fmt::Debug> fmt::Debug for Observe<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for ObserveAttempt<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveAttempt")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
