//! An answer that has begun.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;

use super::failing::FailingReasons;
use crate::{Frame, LayerError};

/// Frames behind a finish that failed which are read in one go before others get a turn.
const FRAMES_A_TURN: usize = 64;

/// The body of [`FirstToken`](super::FirstToken): what was held, then the rest.
#[pin_project]
pub struct FirstTokenBody<B: Body> {
    held: VecDeque<B::Data>,
    /// The frame with which the answer began; it follows what was held.
    first: Option<B::Data>,
    #[pin]
    inner: B,
    failing: FailingReasons,
    end: End,
}

/// Whether the answer has begun, and whether it has ended by a reason that is a failure.
enum End {
    /// Frames are passed on for want of room, and the answer has not begun: if it ends so, it is empty.
    Unbegun,
    Open,
    /// The rest is read for what it says of usage.
    Failing(Box<LayerError>),
    Ended,
}

impl<B: Body> FirstTokenBody<B> {
    #[inline]
    pub(super) const fn new(
        held: VecDeque<B::Data>,
        first: B::Data,
        inner: B,
        failing: FailingReasons,
        has_begun: bool,
    ) -> Self {
        Self {
            held,
            first: Some(first),
            inner,
            failing,
            end: if has_begun { End::Open } else { End::Unbegun },
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

impl<B> Body for FirstTokenBody<B>
where
    B: Body,
    B::Data: Frame,
    B::Error: From<LayerError>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        if let Some(data) = this.held.pop_front().or_else(|| this.first.take()) {
            return Poll::Ready(Some(Ok(BodyFrame::data(data))));
        }
        if this.failing.is_off() && !matches!(this.end, End::Unbegun | End::Ended) {
            return this.inner.poll_frame(cx);
        }
        for _ in 0..FRAMES_A_TURN {
            if matches!(this.end, End::Ended) {
                return Poll::Ready(None);
            }
            let next = ready!(this.inner.as_mut().poll_frame(cx));
            match (std::mem::replace(this.end, End::Ended), next) {
                (End::Failing(error), Some(Ok(_))) => *this.end = End::Failing(error),
                (End::Failing(error), _) => return Poll::Ready(Some(Err((*error).into()))),
                (End::Unbegun, None) => return Poll::Ready(Some(Err(LayerError::EmptyResponse.into()))),
                (before, next) => {
                    let frame = next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref());
                    let begins = frame.is_some_and(|frame| frame.stage().begins_answer());
                    let is_unbegun = matches!(before, End::Unbegun) && !begins;
                    match frame.and_then(|frame| this.failing.failure(frame)) {
                        Some(error) => *this.end = End::Failing(error),
                        None => {
                            *this.end = if is_unbegun { End::Unbegun } else { End::Open };
                            return Poll::Ready(next);
                        }
                    }
                }
            }
        }
        // If the body is always ready, the timers outside still get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match self.end {
            End::Open => self.first.is_none() && self.inner.is_end_stream(),
            End::Unbegun | End::Failing(_) => false,
            End::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.first.is_none() {
            self.inner.size_hint()
        } else {
            SizeHint::default()
        }
    }
}
