//! A call that passes, waits for the end of a pause, or is refused.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower_service::Service;

use super::{Pauses, RateLimitStatus, service::admit, ticket::Ticket, verdict::Held};
use crate::{Candidate, Failure, LayerError, LlmRequest, metering};

/// Its name among the queues.
const QUEUE: &str = "pause";

/// How soon a call that waits looks again while a probe is under way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The future of [`Pause`](super::Pause).
#[pin_project]
pub struct PauseFuture<S, Q>
where
    S: Service<Q>,
{
    #[pin]
    state: State<S, Q, S::Future>,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
enum State<S, Q, F> {
    Held(Box<Waiting<S, Q>>),
    Passed(#[pin] F, Option<Ticket>),
    Ended,
}

/// A call that may have to wait.
struct Waiting<S, Q> {
    service: S,
    request: Q,
    pauses: Pauses,
    /// What is in its way; taken once it waits for that.
    held: Option<Held>,
    since: Instant,
    max_wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S, R> PauseFuture<S, Request<R>>
where
    S: Service<Request<R>>,
{
    pub(super) const fn passed(future: S::Future, ticket: Option<Ticket>) -> Self {
        Self {
            state: State::Passed(future, ticket),
        }
    }

    pub(super) fn held(service: S, request: Request<R>, pauses: Pauses, held: Held, max_wait: Duration) -> Self {
        let waiting = Waiting {
            service,
            request,
            pauses,
            held: Some(held),
            since: Instant::now(),
            max_wait,
            timer: None,
        };
        Self {
            state: State::Held(Box::new(waiting)),
        }
    }
}

impl<S, R: LlmRequest> Waiting<S, Request<R>> {
    /// Waits until it may pass, or says that it may not.
    fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Ticket>, LayerError>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let held = match self.held.take() {
                Some(held) => held,
                None => match admit(&self.pauses, self.request.body()) {
                    Ok(ticket) => return Poll::Ready(Ok(ticket)),
                    Err(held) => held,
                },
            };
            let Some(wait) = self.wait(held) else {
                return Poll::Ready(Err(self.refusal(held)));
            };
            self.timer = Some(Box::pin(sleep_until(Instant::now() + wait)));
        }
    }

    /// How long to wait now; `None` if another candidate can answer, or if that is too long.
    fn wait(&self, held: Held) -> Option<Duration> {
        let call = self.request.body().call();
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

    fn refusal(&self, held: Held) -> LayerError {
        let body = self.request.body();
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

impl<S, R, B> Future for PauseFuture<S, Request<R>>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Held(waiting) => {
                    let passed = ready!(waiting.poll_pass(cx));
                    let StateOwned::Held(waiting) = state.as_mut().project_replace(State::Ended) else {
                        return Poll::Pending;
                    };
                    let Waiting {
                        mut service,
                        request,
                        since,
                        ..
                    } = *waiting;
                    match passed {
                        Ok(ticket) => {
                            metering::waited(QUEUE, since.elapsed());
                            tracing::debug!(waited = ?since.elapsed(), "pause passed");
                            state.set(State::Passed(service.call(request), ticket));
                        }
                        Err(refusal) => {
                            tracing::debug!(why = %refusal, "not called");
                            let call = request.body().call();
                            if let Some(candidate) = call.candidate() {
                                call.skipped(candidate.clone(), &refusal.to_string());
                            }
                            let mut error = S::Error::from(refusal);
                            // No retry need wait for what was not worth waiting for.
                            error.marks_mut().set_exhausted();
                            error.marks_mut().set_paused();
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                StateProjection::Passed(future, ticket) => {
                    let result = ready!(future.poll(cx));
                    let ticket = ticket.take();
                    state.set(State::Ended);
                    if let Some(ticket) = ticket {
                        match &result {
                            Ok(response) => ticket.succeeded(response.extensions().get::<RateLimitStatus>()),
                            Err(error) => ticket.failed(error),
                        }
                    }
                    return Poll::Ready(result);
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

impl<S, Q> fmt::Debug for PauseFuture<S, Q>
where
    S: Service<Q>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Held(_) => "PauseFuture(held)",
            State::Passed(..) => "PauseFuture(passed)",
            State::Ended => "PauseFuture(ended)",
        })
    }
}
