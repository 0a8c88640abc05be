use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project::pin_project;
use tower_service::Service;

use super::{SERVER_SIDE_MODELS, cursor::Cursor};
use crate::{Candidate, Failure, LayerError, LlmRequest, call::Opened};

/// The future of [`Fallback`](super::Fallback).
#[pin_project]
pub struct FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    #[pin]
    state: State<S::Future>,
    /// The request as it came, while another candidate may need it.
    original: Option<Request<R>>,
    /// The service for the next candidate, likewise.
    service: Option<S>,
    cursor: Cursor,
    turn: Option<Turn>,
    opened: Opened,
}

#[pin_project(project = StateProjection)]
enum State<F> {
    Calling(#[pin] F),
    Readying,
    Nobody(Vec<String>),
    Ended,
}

/// Whose turn it is, and which models went along with it for the router to try.
struct Turn {
    candidate: Candidate,
    along: Vec<Candidate>,
}

impl<S, R> FallbackFuture<S, R>
where
    S: Service<Request<R>> + Clone,
    R: LlmRequest,
{
    pub(super) fn start(service: &mut S, mut request: Request<R>, mut cursor: Cursor, opened: Opened) -> Self {
        let mut reasons = Vec::new();
        let call = request.body().call();
        let first = cursor.advance(|candidate, reason| {
            pass_over(request.body(), candidate, &reason);
            reasons.push(format!("{}: {reason}", candidate.model()));
        });
        let Some(candidate) = first else {
            let state = State::Nobody(reasons);
            return Self {
                state,
                original: None,
                service: None,
                cursor,
                turn: None,
                opened,
            };
        };
        let is_last = call.attempts_left() <= 1 || cursor.rest().next().is_none();
        let (original, next) = if is_last {
            (None, None)
        } else {
            (Some(request.clone()), Some(service.clone()))
        };
        let turn = give_turn(&mut request, candidate, &cursor, is_last, is_last);
        let state = State::Calling(service.call(request));
        Self {
            state,
            original,
            service: next,
            cursor,
            turn: Some(turn),
            opened,
        }
    }
}

/// Makes the request this candidate's.
fn give_turn<R: LlmRequest>(
    request: &mut Request<R>,
    candidate: Candidate,
    cursor: &Cursor,
    is_last: bool,
    is_alone: bool,
) -> Turn {
    let body = request.body_mut();
    if body.model() != Some(candidate.model()) {
        body.set_model(candidate.model());
    }
    let mut along = Vec::new();
    if cursor.chain().is_server_side() {
        let same = cursor.rest().filter(|next| next.upstream() == candidate.upstream());
        along.extend(same.take(SERVER_SIDE_MODELS - 1).cloned());
        let models: Vec<_> = along.iter().map(Candidate::model).collect();
        if !models.is_empty() {
            body.set_alternatives(&models);
        }
    }
    body.call_mut().set_candidate(candidate.clone(), is_last, is_alone);
    Turn { candidate, along }
}

fn pass_over<R: LlmRequest>(request: &R, candidate: &Candidate, reason: &str) {
    tracing::info!(
        model = candidate.model(),
        upstream = candidate.upstream(),
        reason,
        "candidate passed over"
    );
    request.call().skipped(candidate.clone(), reason);
}

impl<S, R> fmt::Debug for FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidate = self.turn.as_ref().map(|turn| &turn.candidate);
        f.debug_struct("FallbackFuture")
            .field("candidate", &candidate)
            .finish_non_exhaustive()
    }
}

impl<S, R, B> Future for FallbackFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(future) => {
                    let result = ready!(future.poll(cx));
                    this.state.set(State::Ended);
                    let error = match result {
                        Ok(response) => return Poll::Ready(this.opened.publish(Ok(response))),
                        Err(error) => error,
                    };
                    let next = next_turn(&error, this.original.as_ref(), this.cursor, this.turn.as_ref());
                    let Some(candidate) = next else {
                        return Poll::Ready(this.opened.publish(Err(given_up(error))));
                    };
                    tracing::warn!(
                        kind = error.kind().as_str(),
                        model = candidate.model(),
                        upstream = candidate.upstream(),
                        "next candidate"
                    );
                    *this.turn = Some(Turn {
                        candidate,
                        along: Vec::new(),
                    });
                    this.state.set(State::Readying);
                }
                StateProjection::Readying => {
                    let (Some(service), Some(turn)) = (this.service.as_mut(), this.turn.take()) else {
                        return Poll::Pending;
                    };
                    match service.poll_ready(cx) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => {
                            this.state.set(State::Ended);
                            return Poll::Ready(this.opened.publish(Err(given_up(error))));
                        }
                        Poll::Pending => {
                            *this.turn = Some(turn);
                            return Poll::Pending;
                        }
                    }
                    let nobody_after = this.cursor.rest().next().is_none();
                    let request = if nobody_after {
                        this.original.take()
                    } else {
                        this.original.clone()
                    };
                    let Some(mut request) = request else {
                        return Poll::Pending;
                    };
                    let is_last = nobody_after || request.body().call().attempts_left() <= 1;
                    *this.turn = Some(give_turn(&mut request, turn.candidate, this.cursor, is_last, false));
                    this.state.set(State::Calling(service.call(request)));
                }
                StateProjection::Nobody(reasons) => {
                    let reasons = std::mem::take(reasons);
                    this.state.set(State::Ended);
                    return Poll::Ready(this.opened.publish(Err(LayerError::NoCandidate { reasons }.into())));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

/// Who answers instead, if anybody may.
fn next_turn<E: Failure, R: LlmRequest>(
    error: &E,
    original: Option<&Request<R>>,
    cursor: &mut Cursor,
    turn: Option<&Turn>,
) -> Option<Candidate> {
    let (body, turn) = (original?.body(), turn?);
    let call = body.call();
    if !cursor.learn(error, &turn.candidate, &turn.along) {
        return None;
    }
    if call.attempts_left() == 0 {
        call.decided(|line| line.note = Some("the attempts of this call are spent".into()));
        return None;
    }
    if call.remaining() == Some(Duration::ZERO) {
        return None;
    }
    cursor.advance(|candidate, reason| pass_over(body, candidate, &reason))
}

/// Given up: nobody outside should walk the same chain again.
fn given_up<E: Failure>(mut error: E) -> E {
    tracing::info!(kind = error.kind().as_str(), "no next candidate");
    error.set_exhausted();
    error
}
