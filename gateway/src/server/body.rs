//! A response's body that counts as a request in progress until it has ended.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use super::activity::InProgress;

/// A body that counts as a request in progress until it has ended or is dropped.
#[pin_project]
#[derive(Debug)]
pub(super) struct CountedBody<B> {
    #[pin]
    inner: B,
    counted: Option<InProgress>,
}

impl<B> CountedBody<B> {
    pub(super) const fn new(inner: B, counted: InProgress) -> Self {
        Self {
            inner,
            counted: Some(counted),
        }
    }
}

impl<B: Body> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = this.inner.poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            *this.counted = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
