//! The body that ends at the deadline.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tokio::time::Instant;

use super::future::{Beginning, elapsed};
use crate::{
    Frame as _, LayerError, Stage,
    util::{Alarm, still},
};

/// How many frames may pass between two reads of the clock while frames are always ready: reading it costs more than
/// passing a frame on.
const FRAMES_A_LOOK: u8 = 16;

/// An answer has ended long before.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The body of [`Deadline`](super::Deadline): fails when the deadline passes, and drops what is inside.
#[pin_project]
#[derive(Debug)]
pub struct DeadlineBody<B> {
    #[pin]
    inner: Option<B>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    clock: Option<(Instant, Duration)>,
    progress: Option<Progress>,
    unlooked: u8,
}

/// Whether an answer shows something from time to time.
#[derive(Debug)]
struct Progress {
    next_look: Instant,
    max_pause: Duration,
    /// When the answer had to have begun, and how long that was.
    begins: (Instant, Duration),
    has_shown: bool,
}

impl Progress {
    /// `None` if it may pause without an end.
    fn of(begins: Beginning) -> Option<Self> {
        // An instant has an end.
        let max_pause = begins.max_pause?.min(A_DAY);
        Some(Self {
            next_look: begins.at.checked_sub(max_pause).unwrap_or(begins.at),
            max_pause,
            begins: (begins.at, begins.limit),
            has_shown: false,
        })
    }

    /// How long the answer had, if it has shown nothing since the last look and its time is over.
    fn look(&mut self, now: Instant) -> Option<Duration> {
        if now < self.next_look {
            return None;
        }
        self.next_look = now + self.max_pause;
        let has_shown = std::mem::take(&mut self.has_shown);
        (!has_shown && now >= self.begins.0).then_some(self.begins.1)
    }
}

impl<B> DeadlineBody<B> {
    /// `begins` if the beginning was limited apart.
    #[inline]
    pub(super) fn new(inner: B, clock: Option<(Instant, Duration)>, begins: Option<Beginning>) -> Self {
        let begins = begins.filter(|begins| clock.is_some_and(|ends| begins.at < ends.0));
        Self {
            inner: Some(inner),
            timer: None,
            clock,
            progress: begins.and_then(Progress::of),
            unlooked: 0,
        }
    }
}

impl<B> Body for DeadlineBody<B>
where
    B: Body,
    B::Data: crate::Frame,
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
        let progress = this.progress;
        let over = match &ready {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(progress), Some(frame)) = (progress.as_mut(), frame.data_ref()) {
                    progress.has_shown |= frame.stage() == Stage::Content;
                }
                *this.unlooked = (*this.unlooked + 1) % FRAMES_A_LOOK;
                let now = (*this.unlooked == 0).then(Instant::now);
                now.and_then(|now| over(now, deadline, limit, progress))
            }
            Poll::Ready(_) => None,
            Poll::Pending => loop {
                let look = progress
                    .as_ref()
                    .map_or(deadline, |progress| progress.next_look.min(deadline));
                let timer = this.timer.get_or_insert_with(|| Alarm::at(look));
                // A look while frames were ready has put off the next one.
                if timer.deadline() != look {
                    timer.reset(look);
                }
                if timer.poll(cx).is_pending() {
                    break None;
                }
                let over = over(look.max(Instant::now()), deadline, limit, progress);
                if over.is_some() {
                    break over;
                }
            },
        };
        if let Some(limit) = over {
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

/// How long the call had, if its time is over.
fn over(now: Instant, deadline: Instant, limit: Duration, progress: &mut Option<Progress>) -> Option<Duration> {
    if now >= deadline {
        return Some(limit);
    }
    progress.as_mut().and_then(|progress| progress.look(now))
}
