use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tokio::time::Instant;

use super::future::elapsed;
use crate::{
    LayerError,
    util::{Alarm, still},
};

/// How many frames may pass between two reads of the clock while frames are always ready: reading it costs more than
/// passing a frame on.
const FRAMES_A_LOOK: u8 = 16;

/// The body of [`Deadline`](super::Deadline): fails when the deadline passes, and drops what is inside.
#[pin_project]
#[derive(Debug)]
pub struct DeadlineBody<B> {
    #[pin]
    inner: Option<B>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    clock: Option<(Instant, Duration)>,
    unlooked: u8,
}

impl<B> DeadlineBody<B> {
    #[inline]
    pub(super) const fn new(inner: B, clock: Option<(Instant, Duration)>) -> Self {
        Self {
            inner: Some(inner),
            timer: None,
            clock,
            unlooked: 0,
        }
    }
}

impl<B> Body for DeadlineBody<B>
where
    B: Body,
    B::Error: From<LayerError>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let _still = still();
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let ready = inner.poll_frame(cx);
        let Some((deadline, limit)) = *this.clock else {
            return ready;
        };
        let passed = match &ready {
            Poll::Ready(Some(Ok(_))) => {
                *this.unlooked = (*this.unlooked + 1) % FRAMES_A_LOOK;
                *this.unlooked == 0 && Instant::now() >= deadline
            }
            Poll::Ready(_) => false,
            Poll::Pending => {
                let timer = this.timer.get_or_insert_with(|| Alarm::at(deadline));
                timer.poll(cx).is_ready()
            }
        };
        if passed {
            this.inner.set(None);
            return Poll::Ready(Some(Err(elapsed(limit))));
        }
        ready
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}
