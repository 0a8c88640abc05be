//! The body of a recorded call: passed on as it is, and watched for its end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::{
    answer::{Tail, TailFacts},
    open::{End, OpenCall},
};

/// The body of [`CallsService`](super::CallsService).
#[pin_project(PinnedDrop)]
pub struct CallsBody<B> {
    /// There until it is dropped.
    #[pin]
    inner: Option<B>,
    watched: Option<(OpenCall, Tail)>,
}

impl<B> CallsBody<B> {
    pub(super) const fn new(inner: B, watched: Option<(OpenCall, Tail)>) -> Self {
        Self {
            inner: Some(inner),
            watched,
        }
    }
}

impl<B: Body<Data = Bytes>> Body for CallsBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        if let (Some((_, tail)), Some(Ok(frame))) = (this.watched.as_mut(), &frame)
            && let Some(bytes) = frame.data_ref()
        {
            tail.passes(bytes);
        }
        // A server that knows the length, or asks for the end, does not poll again.
        let is_over = !matches!(frame, Some(Ok(_))) || inner.is_end_stream();
        if is_over && let Some((mut call, tail)) = this.watched.take() {
            let told = if matches!(frame, Some(Err(_))) {
                TailFacts {
                    failure: Some("the response was interrupted".to_owned()),
                    model: None,
                }
            } else {
                tail.told()
            };
            call.end(End::Whole(told));
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

/// What is inside ends first: then the log of the call is complete.
#[pinned_drop]
impl<B> PinnedDrop for CallsBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.inner.set(None);
        drop(this.watched.take());
    }
}

impl<B> std::fmt::Debug for CallsBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallsBody")
            .field("is_recorded", &self.watched.is_some())
            .finish_non_exhaustive()
    }
}
