use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use super::admitted::Begun;
use crate::Failure;

/// The body of [`CircuitBreaker`](super::CircuitBreaker): an answer that breaks off counts as a failure after all.
#[pin_project]
#[derive(Debug)]
pub struct CircuitBreakerBody<B> {
    #[pin]
    inner: B,
    begun: Option<Begun>,
}

impl<B> CircuitBreakerBody<B> {
    pub(super) const fn new(inner: B, begun: Option<Begun>) -> Self {
        Self { inner, begun }
    }
}

impl<B> Body for CircuitBreakerBody<B>
where
    B: Body,
    B::Error: Failure,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Err(error)) = &frame
            && let Some(begun) = this.begun.take()
        {
            begun.broke_off(error);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
