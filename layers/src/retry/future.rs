//! The future of retries at the same candidate.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    Delays, RetryLayer,
    budget::Withdrawn,
    decision::{Decision, History},
};
use crate::{
    AttemptLog, Degraded, Failure, FailureKind, LlmRequest, NoStore,
    call::ATTEMPTS_SPENT,
    events::{EventKind, emit},
    protocol::publish,
};

/// The future of [`Retry`](super::Retry).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct RetryFuture<S, R>
where
    S: Service<Request<R>>,
{
    #[pin]
    state: State<S::Future, S::Error>,
    /// The request for the next attempt, while there may be one: on the heap, since the future is moved by each layer above.
    again: Option<Box<Request<R>>>,
    service: S,
    shared: Arc<RetryLayer>,
    delays: Option<Delays>,
    attempts: u32,
    /// The mark of the answer, if the request asks for a shorter one than its caller did.
    shortened: Option<Box<Degraded>>,
    /// How the attempt before failed, while the next one is waited for, and what that one took of the retry ratio.
    failed: Option<(S::Error, Withdrawn)>,
    opened: Option<AttemptLog>,
}

#[pin_project(project = StateProjection)]
enum State<F, E> {
    Calling(#[pin] F),
    Refused(Option<E>),
    Waiting(Pin<Box<Sleep>>),
    Readying,
    Ended,
}

impl<S: Service<Request<R>>, R> RetryFuture<S, R> {
    #[inline]
    pub(super) fn new(
        first: Result<S::Future, S::Error>,
        again: Option<Box<Request<R>>>,
        service: S,
        shared: Arc<RetryLayer>,
        opened: Option<AttemptLog>,
    ) -> Self {
        let state = match first {
            Ok(first) => State::Calling(first),
            Err(refusal) => State::Refused(Some(refusal)),
        };
        Self {
            state,
            again,
            service,
            shared,
            delays: None,
            attempts: 1,
            shortened: None,
            failed: None,
            opened,
        }
    }
}

impl<S: Service<Request<R>>, R> fmt::Debug for RetryFuture<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryFuture")
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl<S, R, B> Future for RetryFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure,
    R: LlmRequest,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(future) => {
                    let result = ready!(future.poll(cx));
                    // Drops the attempt, and with it whatever it holds, before the wait.
                    this.state.set(State::Ended);
                    let error = match result {
                        Ok(mut response) => {
                            if let Some(mark) = this.shortened.take() {
                                response.extensions_mut().insert(NoStore);
                                mark.put(&mut response);
                            }
                            return Poll::Ready(publish(this.opened, Ok(response)));
                        }
                        Err(error) => error,
                    };
                    let Some(request) = this.again.as_mut() else {
                        log_end(&error, *this.attempts, None);
                        return Poll::Ready(publish(this.opened, give_up(error)));
                    };
                    let mut history = History {
                        policy: &this.shared.policy,
                        attempts: *this.attempts,
                        delays: this.delays.get_or_insert_with(|| this.shared.schedule.delays()),
                    };
                    match history.decide(&error, request.body_mut()) {
                        Decision::Again {
                            wait,
                            shortened,
                            withdrawn,
                        } => {
                            if let Some(tokens) = shortened {
                                let asked = request.body().model();
                                let mark = Degraded::shortened(FailureKind::InsufficientFunds, tokens, asked);
                                *this.shortened = Some(Box::new(mark));
                            }
                            note_wait(request.body(), &error, *this.attempts, wait);
                            *this.failed = Some((error, withdrawn));
                            this.state.set(State::Waiting(Box::pin(sleep(wait))));
                        }
                        Decision::GiveUp(reason) => {
                            note_end(request.body(), &error, *this.attempts, reason);
                            return Poll::Ready(publish(this.opened, give_up(error)));
                        }
                    }
                }
                StateProjection::Refused(refusal) => {
                    let Some(refusal) = refusal.take() else {
                        return Poll::Pending;
                    };
                    log_end(&refusal, 0, None);
                    return Poll::Ready(publish(this.opened, give_up(refusal)));
                }
                StateProjection::Waiting(timer) => {
                    ready!(timer.as_mut().poll(cx));
                    this.state.set(State::Readying);
                }
                StateProjection::Readying => {
                    let ready = ready!(this.service.poll_ready(cx));
                    // Both are there while a retry is waited for.
                    let (Some(request), Some((failed, withdrawn))) = (this.again.as_ref(), this.failed.take()) else {
                        return Poll::Pending;
                    };
                    if let Err(error) = ready {
                        this.state.set(State::Ended);
                        return Poll::Ready(publish(this.opened, give_up(error)));
                    }
                    // A concurrent hedge used the call's last attempt.
                    if request.body().call().attempts_left() == 0 {
                        this.state.set(State::Ended);
                        note_end(request.body(), &failed, *this.attempts, Some(ATTEMPTS_SPENT.to_owned()));
                        return Poll::Ready(publish(this.opened, give_up(failed)));
                    }
                    *this.attempts += 1;
                    let last = *this.attempts >= this.shared.policy.max_attempts;
                    let next = if last { this.again.take() } else { this.again.clone() };
                    let Some(request) = next else {
                        return Poll::Pending;
                    };
                    withdrawn.made();
                    this.state.set(State::Calling(this.service.call(*request)));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

/// Given up: no layer outside should try the same candidate again.
fn give_up<B, E: Failure>(mut error: E) -> Result<Response<B>, E> {
    error.marks_mut().set_exhausted();
    Err(error)
}

fn note_wait<R: LlmRequest, E: Failure>(request: &R, error: &E, attempts: u32, wait: Duration) {
    tracing::info!(kind = error.kind().as_str(), attempts, ?wait, retry_after = ?error.retry_after(), "retrying");
    emit(|| EventKind::Retry {
        candidate: request.call().candidate().cloned(),
        after: error.kind(),
        wait,
    });
    request
        .call()
        .decided(request.call().turn(), |line| line.waited = Some(wait));
}

fn note_end<R: LlmRequest, E: Failure>(request: &R, error: &E, attempts: u32, reason: Option<String>) {
    log_end(error, attempts, reason.as_deref());
    if let Some(reason) = reason {
        request
            .call()
            .decided(request.call().turn(), |line| line.note = Some(reason.into()));
    }
}

fn log_end<E: Failure>(error: &E, attempts: u32, reason: Option<&str>) {
    tracing::info!(kind = error.kind().as_str(), attempts, reason, "not retrying");
}
