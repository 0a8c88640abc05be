//! A call that waits for the end of a pause or is refused, and what its end says of the pause.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{Pauses, RateLimitStatus, ticket::Ticket, verdict};
use crate::{
    Call, Candidate, Failure, LayerError, LlmRequest,
    events::candidate_skipped,
    metering,
    watch::{Admit, InSpan, Respond},
};

/// Its name among the queues.
const QUEUE: &str = "pause";

/// How soon a call that waits looks again while a probe is under way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A call that may have to wait.
pub struct PauseWait {
    pauses: Pauses,
    /// What is in its way; taken once it waits for that.
    held: Option<verdict::ActivePause>,
    since: Instant,
    max_wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl PauseWait {
    pub(super) fn new(pauses: Pauses, held: verdict::ActivePause, max_wait: Duration) -> Self {
        Self {
            pauses,
            held: Some(held),
            since: Instant::now(),
            max_wait,
            timer: None,
        }
    }

    /// Waits until it may pass, or says that it may not.
    fn poll_pass<R: LlmRequest>(
        &mut self,
        request: &R,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Ticket>, LayerError>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let held = match self.held.take() {
                Some(held) => held,
                None => match Ticket::take(&self.pauses, request) {
                    Ok(ticket) => return Poll::Ready(Ok(ticket)),
                    Err(held) => held,
                },
            };
            let Some(wait) = self.wait(request.call(), held) else {
                return Poll::Ready(Err(Self::refusal(request, held)));
            };
            self.timer = Some(Box::pin(sleep_until(Instant::now() + wait)));
        }
    }

    /// How long to wait now; `None` if another candidate can answer, or if that is too long.
    fn wait(&self, call: &Call, held: verdict::ActivePause) -> Option<Duration> {
        if !(call.is_alone() || call.is_last_resort()) {
            return None;
        }
        let left = self.max_wait.saturating_sub(self.since.elapsed());
        let left = call.remaining().map_or(left, |until| until.min(left));
        let wait = if held.is_probed {
            held.next_look.min(LOOK_AGAIN)
        } else {
            held.next_look
        };
        // Those that wait for the same instant come one after another.
        let spread = left.checked_sub(wait).filter(|spare| !spare.is_zero())?.min(wait / 10);
        Some(wait + spread.mul_f64(fastrand::f64()))
    }

    fn refusal<R: LlmRequest>(body: &R, held: verdict::ActivePause) -> LayerError {
        let candidate = body.call().candidate();
        metering::refused(QUEUE, held.kind.as_str());
        LayerError::Paused {
            model: candidate
                .map(Candidate::model)
                .or(body.model())
                .unwrap_or_default()
                .to_owned(),
            upstream: candidate.map_or("the upstream", Candidate::upstream).to_owned(),
            kind: held.kind,
            retry_after: held.next_look,
            ends_in: held.ends_in,
        }
    }
}

impl<R, E> Admit<R, E> for PauseWait
where
    R: LlmRequest,
    E: Failure + From<LayerError>,
{
    type Respond = PauseObservation;

    fn poll_admit(&mut self, request: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<PauseObservation, E>> {
        Poll::Ready(match ready!(self.poll_pass(request.body(), cx)) {
            Ok(ticket) => {
                metering::waited(QUEUE, self.since.elapsed());
                tracing::debug!(waited = ?self.since.elapsed(), "pause passed");
                Ok(PauseObservation(ticket))
            }
            Err(refusal) => {
                tracing::debug!(why = %refusal, "not called");
                let call = request.body().call();
                if let Some(candidate) = call.candidate() {
                    call.skipped(candidate.clone(), &refusal.to_string(), candidate_skipped);
                }
                let mut error = E::from(refusal);
                // No retry need wait for what was not worth waiting for.
                error.marks_mut().set_exhausted();
                error.marks_mut().set_paused();
                Err(error)
            }
        })
    }
}

impl fmt::Debug for PauseWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PauseWait")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// The ticket of a call that has passed; `None` if it names no model.
#[derive(Debug)]
pub struct PauseObservation(pub(super) Option<Ticket>);

impl InSpan for PauseObservation {}

impl<B, E: Failure> Respond<Response<B>, E> for PauseObservation {
    type Response = Response<B>;

    #[inline]
    fn respond(self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        if let Some(ticket) = self.0 {
            match &result {
                Ok(response) => ticket.succeeded(response.extensions().get::<RateLimitStatus>()),
                Err(error) => ticket.failed(error),
            }
        }
        result
    }
}
