use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Response;
use pin_project::pin_project;

use super::{AttemptTimeoutBody, Timeouts, body::after};
use crate::{AttemptHandle, LayerError, Phase, util::Alarm};

/// The future of [`AttemptTimeout`](super::AttemptTimeout).
#[pin_project]
#[derive(Debug)]
pub struct AttemptTimeoutFuture<F> {
    #[pin]
    inner: Option<F>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    phase: Phase,
    limit: Option<Duration>,
    timeouts: Timeouts,
    /// The line of the attempt: it says how long the attempt waited on our side, which is not the upstream's doing.
    line: Option<AttemptHandle>,
    granted: Duration,
}

impl<F> AttemptTimeoutFuture<F> {
    pub(super) const fn new(
        inner: F,
        (phase, limit): (Phase, Option<Duration>),
        timeouts: Timeouts,
        line: Option<AttemptHandle>,
    ) -> Self {
        Self {
            inner: Some(inner),
            timer: None,
            phase,
            limit,
            timeouts,
            line,
            granted: Duration::ZERO,
        }
    }
}

/// The error of a timeout that elapsed.
pub(super) fn elapsed<E: From<LayerError>>(phase: Phase, limit: Duration) -> E {
    tracing::debug!(phase = phase.as_str(), ?limit, "attempt timed out");
    LayerError::Elapsed { phase, limit }.into()
}

impl<F, B, E> Future for AttemptTimeoutFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: From<LayerError>,
{
    type Output = Result<Response<AttemptTimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(result) = inner.poll(cx) {
            this.inner.set(None);
            let timeouts = *this.timeouts;
            return Poll::Ready(result.map(|response| response.map(|body| AttemptTimeoutBody::new(body, timeouts))));
        }
        let Some(limit) = *this.limit else {
            return Poll::Pending;
        };
        // Counted from the first poll, which follows `call` at once in every layer here.
        let timer = this
            .timer
            .get_or_insert_with(|| Alarm::at(after(crate::util::now(), limit)));
        loop {
            ready!(timer.poll(cx));
            let waited = this.line.as_ref().map_or(Duration::ZERO, AttemptHandle::local_wait);
            let more = waited.saturating_sub(*this.granted);
            if more.is_zero() {
                break;
            }
            *this.granted = waited;
            let deadline = timer.deadline() + more;
            timer.reset(deadline);
        }
        this.inner.set(None);
        Poll::Ready(Err(elapsed(*this.phase, limit)))
    }
}
