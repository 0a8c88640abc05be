//! The response of a call, or a degraded one.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;

use super::{Degradation, DegradeBody, StaleLater, layer::Rules};
use crate::{
    AttemptLog, Degraded, DegradedSource, Failure, FailureKind, LlmRequest, NoStore, Phase, protocol::publish,
    util::Alarm,
};

/// The future of [`Degrade`](super::Degrade).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct DegradeFuture<F, R, L, B: Body> {
    #[pin]
    state: State<F, B::Data, B::Error>,
    /// What is needed if it fails; `None` once it is answered.
    fallen: Option<Box<Fallen<R, L>>>,
}

/// What is kept for the case of a failure.
pub(super) struct Fallen<R, L> {
    pub(super) original: Request<R>,
    pub(super) degradation: L,
    pub(super) rules: Rules,
    pub(super) opened: Option<AttemptLog>,
}

#[pin_project(project = StateProjection)]
enum State<F, D, E> {
    Calling(#[pin] F),
    /// It has failed so, and a stale response is looked for until the call's deadline.
    Looking(Look<D>, Option<Box<E>>),
    Ended,
}

/// A look for a stale response, and when it must have ended.
struct Look<D> {
    later: StaleLater<D>,
    deadline: Option<Alarm>,
}

impl<D> Look<D> {
    /// What is there when the deadline passes is taken; nothing is waited for after it.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Vec<D>, Duration)>> {
        if let Poll::Ready(found) = self.later.as_mut().poll(cx) {
            return Poll::Ready(found);
        }
        let Some(deadline) = &mut self.deadline else {
            return Poll::Pending;
        };
        deadline.poll(cx).map(|()| None)
    }
}

impl<F, R, L, B: Body> DegradeFuture<F, R, L, B> {
    pub(super) fn new(future: F, fallen: Fallen<R, L>) -> Self {
        Self {
            state: State::Calling(future),
            fallen: Some(Box::new(fallen)),
        }
    }
}

impl<F, R, L, B: Body> fmt::Debug for DegradeFuture<F, R, L, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DegradeFuture").finish_non_exhaustive()
    }
}

impl<F, R, L, B> Future for DegradeFuture<F, R, L, B>
where
    F: Future<Output = Result<Response<B>, B::Error>>,
    R: LlmRequest,
    B: Body,
    B::Error: Failure,
    L: Degradation<R, B::Data>,
{
    type Output = Result<Response<DegradeBody<B>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let StateProjection::Calling(future) = this.state.as_mut().project() {
            let result = ready!(future.poll(cx));
            this.state.set(State::Ended);
            let later = match (&result, this.fallen.as_ref()) {
                (Err(error), Some(fallen)) => fallen.stale_later(error),
                _ => None,
            };
            match (result, later) {
                (Err(error), Some(later)) => this.state.set(State::Looking(later, Some(Box::new(error)))),
                (result, _) => return Poll::Ready(answer(this.fallen.take(), result, Stale::AtOnce)),
            }
        }
        let StateProjection::Looking(look, error) = this.state.as_mut().project() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let found = ready!(look.poll(cx));
        let error = error.take();
        this.state.set(State::Ended);
        error.map_or(Poll::Pending, |error| {
            Poll::Ready(answer(this.fallen.take(), Err(*error), Stale::Looked(found)))
        })
    }
}

/// What is known of a stale response.
enum Stale<D> {
    /// No look was made: what is there at once.
    AtOnce,
    /// It was looked for, so that no second look is due.
    Looked(Option<(Vec<D>, Duration)>),
}

/// The response, or a degraded one.
fn answer<R, L, B>(
    fallen: Option<Box<Fallen<R, L>>>,
    result: Result<Response<B>, B::Error>,
    looked: Stale<B::Data>,
) -> Result<Response<DegradeBody<B>>, B::Error>
where
    R: LlmRequest,
    B: Body,
    B::Error: Failure,
    L: Degradation<R, B::Data>,
{
    let result = result.map(|response| response.map(DegradeBody::passed));
    let Some(mut fallen) = fallen else { return result };
    let result = result.or_else(|error| {
        let stands_in = fallen.stand_in(error.kind(), error.advice().degrade, looked);
        stands_in.ok_or(error)
    });
    publish(&mut fallen.opened, result)
}

impl<R: LlmRequest, L> Fallen<R, L> {
    /// A stale response that a store gives later, if one is allowed and none is there at once.
    fn stale_later<D, E: Failure>(&self, error: &E) -> Option<Look<D>>
    where
        L: Degradation<R, D>,
    {
        let advised = error.advice().degrade;
        if !self.rules.reaches(error.kind(), advised, DegradedSource::StaleAnswer) {
            return None;
        }
        let later = self.degradation.stale_later(&self.original)?;
        let deadline = match error.kind() {
            FailureKind::Timeout(Phase::Deadline) => Some(crate::util::now()),
            _ => self.original.body().call().known_deadline(),
        };
        Some(Look {
            later,
            deadline: deadline.map(Alarm::at),
        })
    }

    /// The degraded response for a failure of this kind, if one is allowed. `advised` says whether its advice is to degrade, `looked` is what a look
    /// for a stale response has given.
    fn stand_in<B: Body>(
        &self,
        kind: FailureKind,
        advised: bool,
        looked: Stale<B::Data>,
    ) -> Option<Response<DegradeBody<B>>>
    where
        L: Degradation<R, B::Data>,
    {
        let (request, degradation, rules) = (&self.original, &self.degradation, &self.rules);
        let stale = || {
            let (frames, age) = match looked {
                Stale::AtOnce => degradation.stale(request),
                Stale::Looked(found) => found,
            }?;
            Some((DegradedSource::StaleAnswer, frames, Some(age)))
        };
        let canned = || {
            let frames = degradation.canned(request, kind)?;
            Some((DegradedSource::CannedReply, frames, None))
        };
        // No frame at all is no answer.
        let shows = |(_, frames, _): &(_, Vec<_>, _)| !frames.is_empty();
        let found = rules
            .reaches(kind, advised, DegradedSource::StaleAnswer)
            .then(stale)
            .flatten()
            .filter(shows);
        let found = found.or_else(|| {
            rules
                .reaches(kind, advised, DegradedSource::CannedReply)
                .then(canned)
                .flatten()
                .filter(shows)
        });
        let (rung, frames, age) = found?;
        let mut response = Response::new(DegradeBody::held(frames.into(), None));
        let mark = Degraded {
            age,
            ..Degraded::new(rung, Some(kind), request.body().model())
        };
        response.extensions_mut().insert(NoStore);
        mark.put(&mut response);
        Some(response)
    }
}
