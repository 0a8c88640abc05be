use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::course::Course;
use crate::{Failure, LayerError, LlmRequest};

/// The future of [`Fallback`](super::Fallback).
///
/// It holds the request and the services below twice, for the next candidate: kept on the heap, since each layer outside would move
/// it about otherwise, which costs more than the allocation.
pub struct FallbackFuture<S, R>(Pin<Box<Course<S, R>>>)
where
    S: Service<Request<R>>;

impl<S, R> FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    pub(super) fn new(course: Course<S, R>) -> Self {
        Self(Box::pin(course))
    }
}

impl<S, R, B> Future for FallbackFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<S, R> fmt::Debug for FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [candidate, next, beside] = self.0.asked();
        f.debug_struct("FallbackFuture")
            .field("candidate", &candidate)
            .field("next", &next)
            .field("beside", &beside)
            .finish_non_exhaustive()
    }
}
