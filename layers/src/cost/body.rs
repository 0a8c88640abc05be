use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;

use super::meter::Meter;
use crate::{Failure, Frame};

/// The body of [`Cost`](super::Cost): reads the usage as it passes, and books the attempt at its end, however it ends.
#[pin_project]
pub struct CostBody<B> {
    #[pin]
    inner: B,
    meter: Meter,
}

impl<B: Body> CostBody<B> {
    pub(super) fn new(inner: B, mut meter: Meter) -> Self {
        if inner.is_end_stream() {
            meter.answered();
        }
        Self { inner, meter }
    }
}

impl<B> fmt::Debug for CostBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CostBody").finish_non_exhaustive()
    }
}

impl<B> Body for CostBody<B>
where
    B: Body,
    B::Data: Frame,
    B::Error: Failure,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.meter.frame(data);
                }
                // A reader may stop at the last frame, and never ask for the end.
                if this.inner.is_end_stream() {
                    this.meter.answered();
                }
            }
            Some(Err(error)) => this.meter.failed(error),
            None => this.meter.answered(),
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
