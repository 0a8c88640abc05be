//! The slot that overrides the advice for a failure.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Request, Response};
use http_body::{Body, Frame};
use tower_llm_layers::Failure;
use tower_service::Service;

use super::{ErasedService, StackBody, StackFuture, slots::Classifier};

/// Writes the advice of a classifier on the failures of what is below.
pub(super) struct Classify<R, F, E> {
    pub(super) inner: ErasedService<R, F, E>,
    pub(super) classifier: Classifier<E>,
}

fn advised<E: Failure>(classifier: &Classifier<E>, mut error: E) -> E {
    if let Some(advice) = classifier(&error) {
        error.marks_mut().set_advice(advice);
    }
    error
}

impl<R, F, E> Clone for Classify<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            classifier: self.classifier.clone(),
        }
    }
}

impl<R, F: Buf, E: Failure> Service<Request<R>> for Classify<R, F, E> {
    type Response = Response<ClassifyBody<F, E>>;
    type Error = E;
    type Future = ClassifyFuture<F, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        ClassifyFuture {
            inner: self.inner.call(request),
            classifier: self.classifier.clone(),
        }
    }
}

pub(super) struct ClassifyFuture<F, E> {
    inner: StackFuture<F, E>,
    classifier: Classifier<E>,
}

impl<F, E: Failure> Future for ClassifyFuture<F, E> {
    type Output = Result<Response<ClassifyBody<F, E>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.inner).poll(cx));
        let classifier = &self.classifier;
        let result = result.map_err(|error| advised(classifier, error));
        Poll::Ready(result.map(|response| {
            response.map(|inner| ClassifyBody {
                inner,
                classifier: classifier.clone(),
            })
        }))
    }
}

pub(super) struct ClassifyBody<F, E> {
    inner: StackBody<F, E>,
    classifier: Classifier<E>,
}

impl<F: Buf, E: Failure> Body for ClassifyBody<F, E> {
    type Data = F;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<F>, E>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(|error| advised(&self.classifier, error))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }
}

impl<F, E> fmt::Debug for ClassifyBody<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClassifyBody").finish_non_exhaustive()
    }
}
