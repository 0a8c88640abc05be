//! The future of the deadline over a whole call.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Response;
use pin_project::pin_project;
use tokio::time::Instant;

use super::DeadlineBody;
use crate::{AttemptLog, Failure, LayerError, Phase, protocol::publish, util::Alarm};

/// An instant, and how long after the call's start that is.
type Clock = Option<(Instant, Duration)>;

/// When an answer must have begun, how long after the call's start that is, and how long it may pause afterwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning {
    pub(super) at: Instant,
    pub(super) limit: Duration,
    pub(super) max_pause: Option<Duration>,
}

/// The future of [`Deadline`](super::Deadline).
#[pin_project]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct DeadlineFuture<F, E> {
    #[pin]
    state: State<F, E>,
    /// Made when it first has to wait.
    timer: Option<Alarm>,
    /// When the answer must have begun, and what limits it.
    begins: Option<Beginning>,
    /// When it must have ended.
    ends: Clock,
    opened: Option<AttemptLog>,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
#[derive(Debug)]
enum State<F, E> {
    Started(#[pin] F),
    Refused(E),
    Ended,
}

impl<F, E> DeadlineFuture<F, E> {
    #[inline]
    pub(super) const fn started(
        future: F,
        (begins, ends): (Option<Beginning>, Clock),
        opened: Option<AttemptLog>,
    ) -> Self {
        Self {
            state: State::Started(future),
            timer: None,
            begins,
            ends,
            opened,
        }
    }

    pub(super) const fn refused(error: E, opened: Option<AttemptLog>) -> Self {
        Self {
            state: State::Refused(error),
            timer: None,
            begins: None,
            ends: None,
            opened,
        }
    }
}

/// What a passed deadline is called.
pub(super) fn elapsed<E: From<LayerError>>(limit: Duration) -> E {
    tracing::warn!(phase = Phase::Deadline.as_str(), ?limit, "deadline passed");
    LayerError::Elapsed {
        phase: Phase::Deadline,
        limit,
    }
    .into()
}

impl<F, B, E> Future for DeadlineFuture<F, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Failure + From<LayerError>,
    B: http_body::Body<Error = E>,
{
    type Output = Result<Response<DeadlineBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _still = crate::util::still();
        let mut this = self.project();
        if let StateProjection::Started(future) = this.state.as_mut().project() {
            // The answer first, the clock second: what is ready in time wins a tie.
            if let Poll::Ready(result) = future.poll(cx) {
                this.state.set(State::Ended);
                let (begins, ends) = (*this.begins, *this.ends);
                let result = result.map(|response| response.map(|body| DeadlineBody::new(body, ends, begins)));
                return Poll::Ready(publish(this.opened, result));
            }
            let Some(Beginning { at, limit, .. }) = *this.begins else {
                return Poll::Pending;
            };
            let timer = this.timer.get_or_insert_with(|| Alarm::at(at));
            if timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            // Dropped before the error is built, so that the log already says how each attempt ended.
            this.state.set(State::Ended);
            return Poll::Ready(publish(this.opened, Err(elapsed(limit))));
        }
        match this.state.project_replace(State::Ended) {
            StateOwned::Refused(error) => Poll::Ready(publish(this.opened, Err(error))),
            StateOwned::Started(_) | StateOwned::Ended => Poll::Pending,
        }
    }
}
