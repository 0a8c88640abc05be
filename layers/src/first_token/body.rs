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
    #[pin]
    inner: B,
}

impl<B: Body> FirstTokenBody<B> {
    pub(super) const fn new(held: VecDeque<B::Data>, inner: B) -> Self {
        Self { held, inner }
    }
}

impl<B: Body> fmt::Debug for FirstTokenBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstTokenBody")
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl<B: Body> Body for FirstTokenBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        match this.held.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => this.inner.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.held.is_empty() {
            self.inner.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
