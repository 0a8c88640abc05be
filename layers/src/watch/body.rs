//! A body whose frames, failure, end and drop are watched.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::{pin_project, pinned_drop};
use tracing::span::Entered;

use crate::util::still;

/// Looks at a body as it is read. It is dropped after the body: of a body that is dropped before its end it sees nothing else.
pub trait Watch<D, E>: InSpan {
    /// A frame of the answer has come.
    fn frame(&mut self, _data: &D) {}

    /// The body has failed.
    fn failed(&mut self, error: &E);

    /// The whole body has come. May be called again.
    fn ended(&mut self);
}

/// The span that an exchange runs in.
pub trait InSpan {
    /// Held while what is inside is polled, and while it is dropped.
    fn enter(&self) -> Option<Entered<'_>> {
        None
    }
}

/// A body that is watched.
#[pin_project(PinnedDrop)]
pub struct WatchBody<B, W: InSpan> {
    /// There until it is dropped.
    #[pin]
    inner: Option<B>,
    watch: W,
    /// Whether the body inside has said that it is at its end: asked once for each frame, however many bodies stand within each other.
    is_ended: bool,
}

impl<B: Body, W: Watch<B::Data, B::Error>> WatchBody<B, W> {
    /// Watches a body.
    #[inline]
    pub fn new(inner: B, mut watch: W) -> Self {
        let is_ended = inner.is_end_stream();
        if is_ended {
            watch.ended();
        }
        Self {
            inner: Some(inner),
            watch,
            is_ended,
        }
    }
}

impl<B, W: InSpan> fmt::Debug for WatchBody<B, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchBody").finish_non_exhaustive()
    }
}

impl<B, W> Body for WatchBody<B, W>
where
    B: Body,
    W: Watch<B::Data, B::Error>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let _still = still();
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = {
            let _inside = this.watch.enter();
            ready!(inner.as_mut().poll_frame(cx))
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.watch.frame(data);
                }
                // A reader may stop at the last frame, and never poll for the end.
                *this.is_ended = inner.is_end_stream();
                if *this.is_ended {
                    this.watch.ended();
                }
            }
            Some(Err(error)) => {
                this.watch.failed(error);
                *this.is_ended = inner.is_end_stream();
            }
            None => {
                this.watch.ended();
                *this.is_ended = true;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// What is inside ends first, within its span, so that the watch knows how.
#[pinned_drop]
impl<B, W: InSpan> PinnedDrop for WatchBody<B, W> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.watch.enter();
        this.inner.set(None);
    }
}
