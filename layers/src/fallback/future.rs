//! The future of the chain of candidates.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    Chain, Hedge,
    cursor::Cursor,
    hedging::{beside, learn_model, pass_over, routes_of, take_beside},
    lane::{CandidateTurn, Lane},
    shortened::Largest,
    verdict::{given_up, is_more_informative},
};
use crate::{AttemptLog, Candidate, Failure, LayerError, LlmRequest, call::Role, protocol::publish};

/// The future of [`Fallback`](super::Fallback).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    /// Whose turn it is.
    #[pin]
    pub(super) lane: Option<Lane<S::Future>>,
    pub(super) next: Next,
    /// On the heap, since each layer above moves the future.
    pub(super) others: Box<RemainingCandidates<S, R>>,
    opened: Option<AttemptLog>,
}

/// What it takes to call other candidates than the one whose turn it is.
pub(super) struct RemainingCandidates<S, R>
where
    S: Service<Request<R>>,
{
    /// The hedge: rarely there.
    pub(super) beside: Option<Pin<Box<Lane<S::Future>>>>,
    /// How long to wait before the hedge is sent: a timer from the first poll on.
    delay: Option<Duration>,
    late: Option<Pin<Box<Sleep>>>,
    /// The request as it came, while another candidate may need it.
    pub(super) original: Option<Request<R>>,
    /// Whether there was one candidate to call from the beginning.
    pub(super) is_alone: bool,
    /// The service for the next candidate, likewise.
    service: Option<S>,
    pub(super) cursor: Cursor,
    /// Who is called once more for a shorter answer, when no candidate is left.
    pub(super) largest: Largest,
    pub(super) hedge: Option<Hedge>,
    /// The failure of a hedge that concerns the request itself, while the attempt before it was still in flight.
    pub(super) stopped: Option<Box<S::Error>>,
    /// Why the one before failed, if the next is a last resort, or is tried once more: it says more than that this one was refused.
    pub(super) before: Option<Box<S::Error>>,
}

/// What is to be done in addition to waiting for the attempts in flight.
pub(super) enum Next {
    Nothing,
    /// Ask this candidate once the service is ready.
    Ask(Candidate, Role),
    /// Send a hedge, likewise.
    StartHedge,
    /// Fail, because no candidate can take the request.
    NoCandidate(LayerError),
    /// It has ended.
    Silence,
}

impl<S, R> FallbackFuture<S, R>
where
    S: Service<Request<R>> + Clone,
    R: LlmRequest,
{
    pub(super) fn start(
        service: &mut S,
        chain: &Chain,
        mut request: Request<R>,
        hedge: Option<Hedge>,
        opened: Option<AttemptLog>,
    ) -> Self {
        let mut others = Box::new(RemainingCandidates {
            beside: None,
            delay: None,
            late: None,
            original: None,
            is_alone: false,
            service: None,
            cursor: Cursor::new(chain, request.body()),
            largest: Largest::default(),
            hedge,
            stopped: None,
            before: None,
        });
        if let Some(problem) = others.cursor.bad_model().cloned() {
            return Self {
                lane: None,
                next: Next::NoCandidate(LayerError::BadModel { problem }),
                others,
                opened,
            };
        }
        let (mut reasons, mut is_too_long) = (Vec::new(), true);
        let (turn, told) = loop {
            let first = others.cursor.advance(|candidate, reason| {
                pass_over(request.body(), candidate, &reason.text);
                reasons.push(format!("{}: {}", candidate.model(), reason.text));
                is_too_long &= reason.is_context;
            });
            let Some(candidate) = first else {
                let error = if is_too_long && !reasons.is_empty() {
                    LayerError::PromptTooLong { reasons }
                } else {
                    LayerError::NoCandidate { reasons }
                };
                return Self {
                    lane: None,
                    next: Next::NoCandidate(error),
                    others,
                    opened,
                };
            };
            let is_alone = others.cursor.is_at_end();
            others.is_alone = is_alone;
            // If it fails, the log says why no other model was called.
            if (!is_alone || others.cursor.is_bound()) && others.original.is_none() {
                others.original = Some(request.clone());
                others.service = Some(service.clone());
            }
            let role = if is_alone {
                Role::Only
            } else {
                Role::InOrder {
                    is_last: request.body().call().attempts_left() <= 1,
                    is_last_resort: false,
                }
            };
            let told = routes_of(request.body(), others.hedge.is_some());
            match CandidateTurn::give(&mut request, candidate, &others.cursor, role) {
                Ok(turn) => break (turn, told),
                Err(candidate) => {
                    let reason = learn_model(&mut others.cursor, request.body(), &candidate);
                    reasons.push(format!("{}: {reason}", candidate.model()));
                    is_too_long = false;
                }
            }
        };
        let lane = Lane::new(service.call(request), turn, others.hedge.as_ref(), told);
        if let Some(hedge) = others.hedge.as_ref().filter(|_| !others.is_alone) {
            hedge.deposit();
            others.delay = hedge.delay(lane.track());
        }
        Self {
            lane: Some(lane),
            next: Next::Nothing,
            others,
            opened,
        }
    }
}

impl<S, R> fmt::Debug for FallbackFuture<S, R>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let next = match &self.next {
            Next::Ask(candidate, _) => Some(candidate),
            Next::Nothing | Next::StartHedge | Next::NoCandidate(_) | Next::Silence => None,
        };
        f.debug_struct("FallbackFuture")
            .field("candidate", &self.lane.as_ref().map(Lane::candidate))
            .field("next", &next)
            .field("beside", &self.others.beside.as_ref().map(|lane| lane.candidate()))
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            if let Poll::Ready(result) = self.as_mut().poll_lanes(cx) {
                let mut this = self.as_mut().project();
                let others = &mut **this.others;
                others.late = None;
                others.delay = None;
                match result {
                    Ok(response) => {
                        *this.next = Next::Silence;
                        let call = others.original.as_ref().map(|request| request.body().call());
                        if let Some(lane) = this.lane.as_ref().as_pin_ref() {
                            lane.outrun(call);
                        }
                        if let Some(lane) = others.beside.take() {
                            lane.outrun(call);
                            let is_sent = call.and_then(|call| call.was_sent_in(lane.turn()));
                            if let Some(hedge) = others.hedge.as_ref().filter(|_| is_sent == Some(false)) {
                                hedge.refund();
                            }
                        }
                        this.lane.set(None);
                        return Poll::Ready(publish(this.opened, Ok(response)));
                    }
                    Err((error, turn)) => {
                        if let Some(error) = self.as_mut().after(error, &turn) {
                            let this = self.project();
                            *this.next = Next::Silence;
                            let before = this
                                .others
                                .before
                                .take()
                                .filter(|before| is_more_informative(&**before, &error));
                            let error = before.map_or(error, |before| *before);
                            return Poll::Ready(publish(this.opened, Err(given_up(error))));
                        }
                    }
                }
                continue;
            }
            match &mut *self.as_mut().project().next {
                Next::Nothing => {}
                Next::Ask(..) | Next::StartHedge => {
                    if let Err(error) = ready!(self.as_mut().poll_ask(cx)) {
                        let this = self.project();
                        *this.next = Next::Silence;
                        return Poll::Ready(publish(this.opened, Err(given_up(error))));
                    }
                    continue;
                }
                Next::NoCandidate(_) => {
                    let this = self.as_mut().project();
                    let Next::NoCandidate(error) = std::mem::replace(this.next, Next::Silence) else {
                        continue;
                    };
                    return Poll::Ready(publish(this.opened, Err(error.into())));
                }
                // Polled again after it was ready: stay silent rather than panic.
                Next::Silence => return Poll::Pending,
            }
            let others = self.as_mut().project().others;
            if let Some(delay) = others.delay.take() {
                others.late = Some(Box::pin(sleep(delay)));
            }
            let Some(late) = others.late.as_mut() else {
                return Poll::Pending;
            };
            ready!(late.as_mut().poll(cx));
            others.late = None;
            self.as_mut().start_hedge();
        }
    }
}

/// How one of those asked ended.
type Ended<B, E> = Result<Response<B>, (E, CandidateTurn)>;

impl<S, R, B> FallbackFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    /// Polls the attempts in flight. One that has ended is dropped, with everything it held.
    fn poll_lanes(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<B, S::Error>> {
        let mut this = self.project();
        if let Some(lane) = this.lane.as_mut().as_pin_mut()
            && let Poll::Ready(result) = lane.poll(cx)
        {
            this.lane.set(None);
            return Poll::Ready(result);
        }
        if let Some(lane) = this.others.beside.as_mut()
            && let Poll::Ready(result) = lane.as_mut().poll(cx)
        {
            this.others.beside = None;
            return Poll::Ready(result);
        }
        Poll::Pending
    }

    /// It is late: a hedge is to be sent, if that is allowed.
    fn start_hedge(self: Pin<&mut Self>) {
        let this = self.project();
        let others = &**this.others;
        let original = others.original.as_ref().map(Request::body);
        let late = this.lane.as_ref().as_pin_ref().map(|lane| lane.get_ref().turn());
        let (Some(original), Some(hedge), Some(late)) = (original, others.hedge.as_ref(), late) else {
            return;
        };
        let Some((candidate, _)) = beside(&others.cursor, hedge, original, late) else {
            return;
        };
        if hedge.has_share() {
            *this.next = Next::StartHedge;
        } else {
            tracing::debug!(model = candidate.model(), "no hedge: the hedge ratio is used up");
        }
    }

    /// Tries the next candidate once the service is ready.
    fn poll_ask(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let mut this = self.project();
        let others = &mut **this.others;
        let Some(service) = others.service.as_mut() else {
            return Poll::Pending;
        };
        let ready = ready!(service.poll_ready(cx));
        let (candidate, role) = match std::mem::replace(this.next, Next::Nothing) {
            Next::Ask(candidate, role) => {
                ready?;
                (candidate, role)
            }
            Next::StartHedge => {
                let original = others.original.as_ref().map(Request::body);
                let late = this.lane.as_ref().as_pin_ref().map(|lane| lane.get_ref().turn());
                let found = match (ready, original, others.hedge.as_ref(), late) {
                    (Ok(()), Some(original), Some(hedge), Some(late)) => {
                        take_beside(&mut others.cursor, hedge, original, late)
                    }
                    // The attempt in flight needs no other service.
                    _ => None,
                };
                let Some(found) = found else {
                    // Whatever it holds to be ready ends.
                    *service = service.clone(); // house-ok: made ready before it is called
                    return Poll::Ready(Ok(()));
                };
                found
            }
            other => {
                *this.next = other;
                return Poll::Pending;
            }
        };
        let has_next = !others.cursor.is_at_end() || others.cursor.has_open();
        let may_be_needed = match role {
            // It may be called again for a shorter answer.
            Role::InOrder { .. } | Role::Hedge { .. } => true,
            Role::LastResort | Role::Shortened { .. } => has_next,
            Role::Only | Role::NoChain => false,
        };
        let request = if may_be_needed {
            others.original.clone()
        } else {
            others.original.take()
        };
        let Some(mut request) = request else {
            return Poll::Pending;
        };
        let told = routes_of(request.body(), others.hedge.is_some());
        let turn = match CandidateTurn::give(&mut request, candidate, &others.cursor, role) {
            Ok(turn) => turn,
            Err(candidate) => {
                let reason = learn_model(&mut others.cursor, request.body(), &candidate);
                let reasons = vec![format!("{}: {reason}", candidate.model())];
                return Poll::Ready(Err(LayerError::NoCandidate { reasons }.into()));
            }
        };
        let lane = Lane::new(service.call(request), turn, others.hedge.as_ref(), told);
        if matches!(role, Role::Hedge { .. }) {
            others.beside = Some(Box::pin(lane));
        } else {
            if let Some(hedge) = others.hedge.as_ref().filter(|_| has_next) {
                others.delay = hedge.delay(lane.track());
            }
            this.lane.set(Some(lane));
        }
        Poll::Ready(Ok(()))
    }
}
