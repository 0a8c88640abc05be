//! The body whose silence and slowness are timed.

use std::{
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http_body::{Body, Frame as BodyFrame, SizeHint};
use pin_project::pin_project;
use tokio::time::Instant;

use super::{
    MinThroughput,
    timeouts::{AnswerLimits, Limit},
};
use crate::{
    Failure, Frame, LayerError, Phase, Stage,
    util::{Alarm, after, now},
};

/// What a read gives.
type Polled<B> = Poll<Option<Result<BodyFrame<<B as Body>::Data>, <B as Body>::Error>>>;

/// The body of [`AttemptTimeout`](super::AttemptTimeout): fails when the stream falls silent or too slow.
///
/// Its timeouts run only while it waits for the upstream. A frame that is ready costs no read of the clock.
#[pin_project]
#[derive(Debug)]
pub struct AttemptTimeoutBody<B> {
    #[pin]
    inner: Option<B>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    idle: Option<Limit>,
    /// Since when it has waited without a frame; `None` while frames are read.
    waiting_since: Option<Instant>,
    /// The minimum throughput, if there is one: on the heap, since each layer above moves the body.
    window: Option<Box<Window>>,
    /// Not `Unpin`, so that the wrong order, `FirstToken` around this, does not compile.
    #[pin]
    wrong_order: PhantomPinned,
}

/// The present window of the minimum throughput.
#[derive(Debug)]
struct Window {
    min_throughput: MinThroughput,
    /// Since when it has waited within this window.
    since: Option<Instant>,
    /// Time waited before that, and tokens that came.
    waited: Duration,
    tokens: u32,
}

impl Window {
    const fn new(min_throughput: MinThroughput) -> Self {
        Self {
            min_throughput,
            since: None,
            waited: Duration::ZERO,
            tokens: 0,
        }
    }

    /// So many tokens came.
    fn add(&mut self, tokens: u32) {
        let waited = self.since.take().map_or(Duration::ZERO, crate::util::since);
        self.waited = self.waited.saturating_add(waited);
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// When it ends, if nothing comes from now on.
    fn end(&mut self, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        after(since, self.min_throughput.window.saturating_sub(self.waited))
    }
}

/// The tokens of a frame for the throughput. What is shown and counts no tokens, such as a summary of reasoning, is one.
fn tokens_of<F: Frame>(frame: &F) -> u32 {
    frame.tokens().max(u32::from(frame.stage() == Stage::Content))
}

impl<B> AttemptTimeoutBody<B> {
    #[inline]
    pub(super) fn new(inner: B, limits: AnswerLimits) -> Self {
        let window = limits.min_throughput.map(Window::new);
        Self {
            inner: Some(inner),
            timer: None,
            idle: limits.idle,
            waiting_since: None,
            window: window.map(Box::new),
            wrong_order: PhantomPinned,
        }
    }
}

impl<B> Body for AttemptTimeoutBody<B>
where
    B: Body,
    B::Data: Frame,
    B::Error: Failure + From<LayerError>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Self::Data>, Self::Error>>> {
        let mut this = self.as_mut().project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match inner.poll_frame(cx) {
            Poll::Ready(frame) => {
                if let (Some(window), Some(Ok(frame))) = (this.window, &frame) {
                    window.add(frame.data_ref().map_or(0, tokens_of));
                }
                *this.waiting_since = None;
                Poll::Ready(frame)
            }
            Poll::Pending => self.poll_clocks(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<B> AttemptTimeoutBody<B>
where
    B: Body,
    B::Error: Failure + From<LayerError>,
{
    /// Nothing is there: how long has that been so?
    fn poll_clocks(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        if this.idle.is_none() && this.window.is_none() {
            return Poll::Pending;
        }
        loop {
            let now = now();
            let silent_since = *this.waiting_since.get_or_insert(now);
            if let Some(idle) = this.idle.filter(|idle| now >= after(silent_since, idle.time)) {
                this.inner.set(None);
                return Poll::Ready(Some(Err(elapsed(Phase::Idle, idle))));
            }
            let idle_at = this.idle.map(|idle| after(silent_since, idle.time));
            let window_at = this.window.as_mut().map(|window| window.end(now));
            if let Some(window) = this.window.as_mut().filter(|_| window_at.is_some_and(|end| now >= end)) {
                let floor = window.min_throughput;
                if window.tokens < floor.tokens {
                    this.inner.set(None);
                    let limit = Limit {
                        time: floor.window,
                        is_own: false,
                    };
                    return Poll::Ready(Some(Err(elapsed(Phase::Throughput, limit))));
                }
                **window = Window {
                    since: Some(now),
                    ..Window::new(floor)
                };
                continue;
            }
            let Some(at) = idle_at.into_iter().chain(window_at).min() else {
                return Poll::Pending;
            };
            // One timer, moved only when it fires or is too late: frames do not touch it.
            let timer = this.timer.get_or_insert_with(|| Alarm::at(at));
            if timer.deadline() > at || timer.deadline() <= now {
                timer.reset(at);
            }
            if timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The error of a timeout that elapsed.
pub(super) fn elapsed<E: Failure + From<LayerError>>(phase: Phase, Limit { time, is_own }: Limit) -> E {
    tracing::debug!(phase = phase.as_str(), limit = ?time, is_own, "attempt timed out");
    let mut error = E::from(LayerError::Elapsed { phase, limit: time });
    if is_own {
        error.marks_mut().set_own_timeout();
    }
    error
}
