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

use super::{MinThroughput, Timeouts};
use crate::{
    Frame, LayerError, Phase,
    util::{Alarm, now},
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
    timeouts: Timeouts,
    /// Since when it has waited without a frame; `None` while frames are read.
    waiting_since: Option<Instant>,
    /// Since when it has waited within the present window of the minimum throughput.
    window_since: Option<Instant>,
    /// Time waited before that, and tokens that came, in the present window.
    window_waited: Duration,
    window_tokens: u32,
    /// Not `Unpin`, so that the wrong order, `FirstToken` around this, does not compile.
    #[pin]
    wrong_order: PhantomPinned,
}

impl<B> AttemptTimeoutBody<B> {
    pub(super) fn new(inner: B, mut timeouts: Timeouts) -> Self {
        // A floor of nothing, or of an instant, is no floor.
        timeouts.min_throughput = timeouts
            .min_throughput
            .filter(|min_throughput| min_throughput.tokens > 0 && !min_throughput.window.is_zero());
        Self {
            inner: Some(inner),
            timer: None,
            timeouts,
            waiting_since: None,
            window_since: None,
            window_waited: Duration::ZERO,
            window_tokens: 0,
            wrong_order: PhantomPinned,
        }
    }
}

impl<B> Body for AttemptTimeoutBody<B>
where
    B: Body,
    B::Data: Frame,
    B::Error: From<LayerError>,
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
                if let (Some(_), Some(Ok(frame))) = (this.timeouts.min_throughput, &frame) {
                    let waited = this.window_since.take().map_or(Duration::ZERO, crate::util::since);
                    *this.window_waited = this.window_waited.saturating_add(waited);
                    let tokens = frame.data_ref().map_or(0, Frame::tokens);
                    *this.window_tokens = this.window_tokens.saturating_add(tokens);
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
    B::Error: From<LayerError>,
{
    /// Nothing is there: how long has that been so?
    fn poll_clocks(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled<B> {
        let mut this = self.project();
        if this.timeouts.idle.is_none() && this.timeouts.min_throughput.is_none() {
            return Poll::Pending;
        }
        loop {
            let now = now();
            let silent_since = *this.waiting_since.get_or_insert(now);
            if let Some(idle) = this.timeouts.idle.filter(|idle| now >= after(silent_since, *idle)) {
                this.inner.set(None);
                return Poll::Ready(Some(Err(elapsed(Phase::Idle, idle))));
            }
            let window_since = *this.window_since.get_or_insert(now);
            let window_end = |min_throughput: MinThroughput| {
                after(window_since, min_throughput.window.saturating_sub(*this.window_waited))
            };
            if let Some(min_throughput) = this
                .timeouts
                .min_throughput
                .filter(|min_throughput| now >= window_end(*min_throughput))
            {
                if *this.window_tokens < min_throughput.tokens {
                    this.inner.set(None);
                    return Poll::Ready(Some(Err(elapsed(Phase::Throughput, min_throughput.window))));
                }
                *this.window_tokens = 0;
                *this.window_waited = Duration::ZERO;
                *this.window_since = Some(now);
                continue;
            }
            let idle_at = this.timeouts.idle.map(|idle| after(silent_since, idle));
            let pace_at = this.timeouts.min_throughput.map(window_end);
            let Some(at) = idle_at.into_iter().chain(pace_at).min() else {
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

/// This much later, or the far future if that overflows.
pub(super) fn after(instant: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    instant + time.min(FAR)
}

/// The error of a timeout that elapsed.
pub(super) fn elapsed<E: From<LayerError>>(phase: Phase, limit: Duration) -> E {
    tracing::debug!(phase = phase.as_str(), ?limit, "attempt timed out");
    LayerError::Elapsed { phase, limit }.into()
}
