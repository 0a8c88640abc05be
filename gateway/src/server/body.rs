//! A response's body that counts as a request in progress until it has ended, and notes whether the client takes it.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;

use super::activity::InProgress;

/// A body that counts as a request in progress until it has ended or is dropped.
///
/// The server asks for a frame when the client has room for it: over HTTP/2 the stream's window, over HTTP/1 the socket. Between a frame, or the
/// head, and the next question, the client takes nothing.
#[pin_project]
#[derive(Debug)]
pub(super) struct CountedBody<B> {
    #[pin]
    inner: B,
    counted: Option<InProgress>,
}

impl<B> CountedBody<B> {
    pub(super) fn new(inner: B, counted: InProgress) -> Self {
        counted.is_ready();
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
        if let Some(counted) = this.counted {
            counted.is_taken();
        }
        let frame = this.inner.poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(_))) => {
                if let Some(counted) = this.counted {
                    counted.is_ready();
                }
            }
            Poll::Ready(None | Some(Err(_))) => *this.counted = None,
            Poll::Pending => {}
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
