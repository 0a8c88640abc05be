//! The future of timeouts of one attempt.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use pin_project::pin_project;
use tokio::time::Instant;

use super::{
    AttemptTimeoutBody,
    body::elapsed,
    timeouts::{AnswerLimits, Limit},
};
use crate::{
    AttemptHandle, Candidate, Failure, LayerError, Phase,
    call::Preparing,
    util::{Alarm, Seconds, after},
};

/// The future of [`AttemptTimeout`](super::AttemptTimeout).
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct AttemptTimeoutFuture<F> {
    #[pin]
    inner: Option<F>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    phase: Phase,
    limit: Option<Limit>,
    /// The limits once the answer has begun.
    limits: AnswerLimits,
    /// The line of the attempt: it says how long the attempt waited on our side, which is not the upstream's doing.
    line: Option<AttemptHandle>,
    granted: Duration,
    /// When the limit is reached.
    ends: Option<Instant>,
}

impl<F> AttemptTimeoutFuture<F> {
    #[inline]
    pub(super) const fn new(
        inner: F,
        (phase, limit): (Phase, Option<Limit>),
        limits: AnswerLimits,
        line: Option<AttemptHandle>,
    ) -> Self {
        Self {
            inner: Some(inner),
            timer: None,
            phase,
            limit,
            limits,
            line,
            granted: Duration::ZERO,
            ends: None,
        }
    }
}

/// The error of an attempt that waited so long for something of ours.
fn unprepared(what: Preparing, candidate: Option<&Candidate>, limit: Duration) -> LayerError {
    match what {
        Preparing::Reservation | Preparing::Turn => LayerError::BudgetsDown { waited: limit },
        Preparing::Key => LayerError::NoKey {
            upstream: candidate.map_or("the upstream", Candidate::upstream).to_owned(),
            reason: format!("the provider of keys has not responded within {}", Seconds(limit)),
            retry_after: None,
        },
    }
}

impl<F, B, E> Future for AttemptTimeoutFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Failure + From<LayerError>,
{
    type Output = Result<Response<AttemptTimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(result) = inner.poll(cx) {
            this.inner.set(None);
            let limits = *this.limits;
            return Poll::Ready(result.map(|response| response.map(|body| AttemptTimeoutBody::new(body, limits))));
        }
        let Some(limit) = *this.limit else {
            return Poll::Pending;
        };
        // Counted from the first poll, which follows `call` at once in every layer here.
        let ends = this.ends.get_or_insert_with(|| after(crate::util::now(), limit.time));
        let timer = this.timer.get_or_insert_with(|| Alarm::at(*ends));
        loop {
            // A plain answer that has begun to arrive may be silent no longer than a stream.
            let idle = this.limits.idle.filter(|_| *this.phase == Phase::Response);
            let last = idle.and_then(|_| this.line.as_ref()?.received_last());
            let silent_at = last.zip(idle).and_then(|(last, idle)| last.checked_add(idle.time));
            let silent_at = silent_at.filter(|silent_at| *silent_at < *ends);
            let next = silent_at.unwrap_or(*ends);
            if timer.deadline() != next {
                timer.reset(next);
            }
            ready!(timer.poll(cx));
            if let Some(idle) = idle.filter(|_| silent_at.is_some()) {
                this.inner.set(None);
                return Poll::Ready(Err(elapsed(*this.phase, idle)));
            }
            let waited = this.line.as_ref().map_or(Duration::ZERO, AttemptHandle::local_wait);
            let more = waited.saturating_sub(*this.granted);
            if more.is_zero() {
                break;
            }
            *this.granted = waited;
            *ends += more;
        }
        // What has not been sent says nothing of the upstream.
        let preparing = this.line.as_ref().and_then(AttemptHandle::preparing);
        this.inner.set(None);
        Poll::Ready(Err(match preparing {
            Some((what, candidate)) => unprepared(what, candidate.as_ref(), limit.time).into(),
            None => elapsed(*this.phase, limit),
        }))
    }
}
