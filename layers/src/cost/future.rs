use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project::pin_project;
use tokio::time::{Sleep, sleep};
use tower_service::Service;

use super::{
    CostBody,
    meter::Meter,
    patience::{Next, Patience},
    plan::{Limits, Plan},
};
use crate::{
    Failure, Frame, LayerError, LlmRequest, NoStore, UtcTime,
    budget::{Budgets, Decision, Refusal, Reservation},
    metering,
    watch::WatchBody,
};

/// What the budgets say.
type Verdict = Result<Reservation, Box<Refusal>>;

/// The reservation is being decided, or will be.
enum Reserving {
    Decided(Option<Verdict>),
    Asking(Pin<Box<dyn Future<Output = Verdict> + Send>>),
    Pausing(Pin<Box<Sleep>>),
}

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
    Reserving(Reserving, Option<Box<Waiting<S, R>>>),
    Calling(#[pin] F, Option<Meter>),
    Refused(Option<LayerError>),
    Ended,
}

/// An attempt that waits for its reservation.
pub(super) struct Waiting<S, R> {
    pub(super) service: S,
    pub(super) request: Request<R>,
    pub(super) plan: Plan,
    pub(super) meter: Meter,
    pub(super) patience: Patience,
    pub(super) budgets: Budgets,
    pub(super) limits: Limits<R>,
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

    pub(super) fn reserving(decision: Decision, waiting: Waiting<S, R>) -> Self {
        Self {
            state: State::Reserving(Reserving::from(decision), Some(Box::new(waiting))),
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
        let reserving = matches!(self.state, State::Reserving(..));
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
                StateProjection::Reserving(reserving, waiting) => {
                    let verdict = match reserving {
                        Reserving::Decided(verdict) => verdict.take(),
                        Reserving::Asking(decision) => Some(ready!(decision.as_mut().poll(cx))),
                        Reserving::Pausing(pause) => {
                            ready!(pause.as_mut().poll(cx));
                            None
                        }
                    };
                    let Some(mut waiter) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let refusal = match verdict {
                        Some(Ok(held)) => {
                            state.set(waiter.call(held));
                            continue;
                        }
                        Some(Err(refusal)) => refusal,
                        None => {
                            *reserving = waiter.ask();
                            *waiting = Some(waiter);
                            continue;
                        }
                    };
                    match waiter.after(&refusal) {
                        Next::Ask => *reserving = waiter.ask(),
                        Next::Pause(pause) => *reserving = Reserving::Pausing(Box::pin(sleep(pause))),
                        Next::Refuse => {
                            state.set(State::Refused(Some(waiter.refuse(refusal))));
                            continue;
                        }
                    }
                    *waiting = Some(waiter);
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

impl From<Decision> for Reserving {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Now(verdict) => Self::Decided(Some(verdict)),
            Decision::Later(decision) => Self::Asking(decision),
        }
    }
}

impl<S, R> Waiting<S, R>
where
    S: Service<Request<R>>,
    R: LlmRequest,
{
    fn ask(&mut self) -> Reserving {
        let request = self.request.body();
        let decision = self
            .patience
            .ask(&self.budgets, request, &mut self.plan, UtcTime::now());
        Reserving::from(decision)
    }

    fn after(&mut self, refusal: &Refusal) -> Next {
        let next = self.patience.after(refusal, self.request.body().call().deadline());
        if let Next::Pause(pause) = next {
            self.meter.waits(pause);
        }
        next
    }

    fn refuse(self, refusal: Box<Refusal>) -> LayerError {
        let is_hedge = self.request.body().call().is_hedge();
        let error = self.plan.over_budget(refusal, is_hedge, false);
        self.meter.refused(error)
    }

    fn call(mut self, held: Reservation) -> State<S, R, S::Future> {
        let mut meter = self.meter;
        meter.prepared();
        let waited = self.patience.waited();
        if !waited.is_zero() {
            metering::waited("budget", waited);
        }
        match self.plan.fit(self.request.body_mut(), &held, &self.limits) {
            Ok(limited) => {
                meter.reserve(held, limited, &self.plan);
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
            if let Some(limit) = meter.default_limit() {
                parts.extensions.insert(limit);
            }
            let mark = meter.shortened();
            if meter.is_limited() {
                parts.extensions.insert(NoStore);
            }
            let mut response = Response::from_parts(parts, WatchBody::new(body, meter));
            if let Some(mark) = mark {
                mark.put(&mut response);
            }
            Ok(response)
        }
        Err(error) => {
            meter.failed(&error);
            Err(error)
        }
    }
}
