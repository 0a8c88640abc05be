use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{ObserveBody, ObserveFuture, attempt::AttemptRecord, operation::OperationRecord, record::Recorder};
use crate::{Failure, Frame, LlmRequest, macros::inner_accessors};

/// The service of [`ObserveLayer`](super::ObserveLayer).
#[derive(Debug, Clone)]
pub struct Observe<S> {
    pub(super) inner: S,
}

/// The service of [`ObserveAttemptLayer`](super::ObserveAttemptLayer).
#[derive(Debug, Clone)]
pub struct ObserveAttempt<S> {
    pub(super) inner: S,
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
    B: Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ObserveBody<B, OperationRecord>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future, OperationRecord>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let record = OperationRecord::of(&mut request);
        let recorder = record.map_or_else(Recorder::none, Recorder::new);
        let future = recorder.span().in_scope(|| self.inner.call(request));
        ObserveFuture::new(future, recorder)
    }
}

impl<S, R, B> Service<Request<R>> for ObserveAttempt<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest,
    B: Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<ObserveBody<B, AttemptRecord>>;
    type Error = S::Error;
    type Future = ObserveFuture<S::Future, AttemptRecord>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let record = AttemptRecord::of(request.body());
        let recorder = record.map_or_else(Recorder::none, Recorder::new);
        let future = recorder.span().in_scope(|| self.inner.call(request));
        ObserveFuture::new(future, recorder)
    }
}
