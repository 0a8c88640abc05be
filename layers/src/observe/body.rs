use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::record::Record;
use crate::{Failure, Frame};

/// The body of [`Observe`](super::Observe) and [`ObserveAttempt`](super::ObserveAttempt): looks at the frames as they pass, and tells the
/// end once.
#[pin_project(PinnedDrop)]
pub struct ObserveBody<B> {
    /// There until it is dropped.
    #[pin]
    inner: Option<B>,
    record: Record,
}

impl<B: Body> ObserveBody<B> {
    pub(super) fn new(inner: B, mut record: Record) -> Self {
        if inner.is_end_stream() {
            record.answered();
        }
        Self {
            inner: Some(inner),
            record,
        }
    }
}

impl<B> fmt::Debug for ObserveBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveBody").finish_non_exhaustive()
    }
}

impl<B> Body for ObserveBody<B>
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
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = {
            let _inside = this.record.enter();
            ready!(inner.as_mut().poll_frame(cx))
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.record.frame(data);
                }
                // A reader may stop at the last frame, and never ask for the end.
                if inner.is_end_stream() {
                    this.record.answered();
                }
            }
            Some(Err(error)) => this.record.failed(error),
            None => this.record.answered(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// What is below ends first, within the span, so that the record knows how.
#[pinned_drop]
impl<B> PinnedDrop for ObserveBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.record.enter();
        this.inner.set(None);
    }
}
