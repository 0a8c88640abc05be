use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tower_service::Service;

use super::{
    CostBody,
    meter::Meter,
    plan::{Plan, Shorten, over_budget},
};
use crate::{
    Failure, Frame, LayerError, LlmRequest, NoStore,
    budget::{Refusal, Reservation},
    watch::WatchBody,
};

type Reserving = Pin<Box<dyn Future<Output = Result<Reservation, Box<Refusal>>> + Send>>;

/// The future of [`Cost`](super::Cost).
#[pin_project]
pub struct CostFuture<S, R>
where
    S: Service<Request<R>>,
{
    #[pin]
    state: State<S, R, S::Future>,
}

#[pin_project(project = StateProjection)]
enum State<S, R, F> {
    Reserving {
        decision: Reserving,
        waiting: Option<Box<Waiting<S, R>>>,
    },
    Calling(#[pin] F, Option<Meter>),
    Refused(Option<LayerError>),
    Ended,
}

/// An attempt that waits for its hold.
pub(super) struct Waiting<S, R> {
    pub(super) service: S,
    pub(super) request: Request<R>,
    pub(super) plan: Plan,
    pub(super) meter: Meter,
    pub(super) shorten: Shorten<R>,
}

impl<S, R> CostFuture<S, R>
where
    S: Service<Request<R>>,
{
    pub(super) const fn calling(future: S::Future, meter: Meter) -> Self {
        Self {
            state: State::Calling(future, Some(meter)),
        }
    }

    pub(super) fn reserving(decision: Reserving, waiting: Waiting<S, R>) -> Self {
        let waiting = Some(Box::new(waiting));
        Self {
            state: State::Reserving { decision, waiting },
        }
    }

    pub(super) const fn refused(error: LayerError) -> Self {
        Self {
            state: State::Refused(Some(error)),
        }
    }
}

impl<S, R> fmt::Debug for CostFuture<S, R>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reserving = matches!(self.state, State::Reserving { .. });
        f.debug_struct("CostFuture")
            .field("reserving", &reserving)
            .finish_non_exhaustive()
    }
}

impl<S, R, B> Future for CostFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Output = Result<Response<CostBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Reserving { decision, waiting } => {
                    let decision = ready!(decision.as_mut().poll(cx));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match decision {
                        Ok(held) => state.set(waiting.call(held)),
                        Err(refusal) => {
                            let error = waiting.meter.refused(over_budget(refusal));
                            state.set(State::Refused(Some(error)));
                        }
                    }
                }
                StateProjection::Calling(future, meter) => {
                    if let Some(meter) = meter {
                        meter.sent();
                    }
                    let result = ready!(future.poll(cx));
                    let meter = meter.take();
                    state.set(State::Ended);
                    return meter.map_or(Poll::Pending, |meter| Poll::Ready(begin(result, meter)));
                }
                StateProjection::Refused(error) => {
                    let error = error.take();
                    return error.map_or(Poll::Pending, |error| Poll::Ready(Err(error.into())));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

impl<S, R> Waiting<S, R>
where
    S: Service<Request<R>>,
{
    fn call(mut self, held: Reservation) -> State<S, R, S::Future> {
        let mut meter = self.meter;
        match self.plan.fit(self.request.body_mut(), &held, self.shorten) {
            Ok(clamped) => {
                meter.hold(held, clamped);
                State::Calling(self.service.call(self.request), Some(meter))
            }
            Err(error) => State::Refused(Some(meter.refused(error))),
        }
    }
}

fn begin<B, E>(result: Result<Response<B>, E>, mut meter: Meter) -> Result<Response<CostBody<B>>, E>
where
    E: Failure,
    B: http_body::Body<Error = E>,
    B::Data: Frame,
{
    match result {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            meter.responded(&parts);
            if meter.is_clamped() {
                parts.extensions.insert(NoStore);
            }
            Ok(Response::from_parts(parts, WatchBody::new(body, meter)))
        }
        Err(error) => {
            meter.failed(&error);
            Err(error)
        }
    }
}
