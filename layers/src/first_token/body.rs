use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

/// The body of [`FirstToken`](super::FirstToken): what was held, then the rest.
#[pin_project]
pub struct FirstTokenBody<B: Body> {
    held: VecDeque<B::Data>,
    /// The frame with which the answer began; it follows what was held.
    first: Option<B::Data>,
    #[pin]
    inner: B,
}

impl<B: Body> FirstTokenBody<B> {
    pub(super) const fn new(held: VecDeque<B::Data>, first: B::Data, inner: B) -> Self {
        Self {
            held,
            first: Some(first),
            inner,
        }
    }
}

impl<B: Body> fmt::Debug for FirstTokenBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstTokenBody")
            .field("held", &(self.held.len() + usize::from(self.first.is_some())))
            .finish_non_exhaustive()
    }
}

impl<B: Body> Body for FirstTokenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        match this.held.pop_front().or_else(|| this.first.take()) {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => this.inner.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_none() {
            self.inner.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
