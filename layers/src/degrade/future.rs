use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;

use super::{Degradation, DegradeBody, layer::Rules};
use crate::{AttemptLog, Degraded, DegradedSource, Failure, FailureKind, LlmRequest, NoStore, protocol::publish};

/// The future of [`Degrade`](super::Degrade).
#[pin_project]
pub struct DegradeFuture<F, R, L> {
    #[pin]
    state: State<F>,
    /// What is needed if it fails; `None` if nothing would be done.
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
enum State<F> {
    Calling(#[pin] F),
    Ended,
}

impl<F, R, L> DegradeFuture<F, R, L> {
    pub(super) fn new(future: F, fallen: Fallen<R, L>) -> Self {
        Self {
            state: State::Calling(future),
            fallen: Some(Box::new(fallen)),
        }
    }

    pub(super) const fn passing(future: F) -> Self {
        Self {
            state: State::Calling(future),
            fallen: None,
        }
    }
}

impl<F, R, L> fmt::Debug for DegradeFuture<F, R, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DegradeFuture").finish_non_exhaustive()
    }
}

impl<F, R, L, B> Future for DegradeFuture<F, R, L>
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
        let StateProjection::Calling(future) = this.state.as_mut().project() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(future.poll(cx));
        this.state.set(State::Ended);
        let Some(mut fallen) = this.fallen.take() else {
            return Poll::Ready(result.map(|response| response.map(DegradeBody::answer)));
        };
        let result = match result {
            Ok(response) => Ok(response.map(DegradeBody::answer)),
            Err(error) => fallen.stand_in(error.kind(), error.advice().degrade).ok_or(error),
        };
        Poll::Ready(publish(&mut fallen.opened, result))
    }
}

impl<R: LlmRequest, L> Fallen<R, L> {
    /// The degraded response for a failure of this kind, if one is allowed. `advised` says whether its advice is to degrade.
    fn stand_in<B: Body>(&self, kind: FailureKind, advised: bool) -> Option<Response<DegradeBody<B>>>
    where
        L: Degradation<R, B::Data>,
    {
        let (request, degradation, rules) = (&self.original, &self.degradation, &self.rules);
        let stale = || {
            let (frames, age) = degradation.stale(request)?;
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
        let mut response = Response::new(DegradeBody::stand_in(frames));
        let mark = Degraded {
            source: rung,
            reason: Some(kind),
            age,
            asked: request.body().model().map(Box::from),
            max_tokens: None,
        };
        response.extensions_mut().insert(NoStore);
        mark.put(&mut response);
        Some(response)
    }
}
