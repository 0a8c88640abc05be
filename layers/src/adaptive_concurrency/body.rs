use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use super::{gate::Permit, is_overload};
use crate::Failure;

/// The body of [`AdaptiveConcurrency`](super::AdaptiveConcurrency): its place is free at the end of the answer.
#[pin_project]
#[derive(Debug)]
pub struct AdaptiveConcurrencyBody<B> {
    #[pin]
    inner: B,
    permit: Option<Permit>,
}

impl<B: Body> AdaptiveConcurrencyBody<B> {
    pub(super) fn new(inner: B, permit: Option<Permit>) -> Self {
        let permit = permit.filter(|_| !inner.is_end_stream());
        Self { inner, permit }
    }
}

impl<B> Body for AdaptiveConcurrencyBody<B>
where
    B: Body,
    B::Error: Failure,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            // A reader may stop at the last frame, and never ask for the end.
            Some(Ok(_)) if !this.inner.is_end_stream() => {}
            Some(Err(error)) if is_overload(error) => {
                if let Some(permit) = this.permit.take() {
                    permit.overloaded();
                }
            }
            _ => *this.permit = None,
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
