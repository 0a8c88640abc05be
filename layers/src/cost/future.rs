//! An attempt that waits for its reservation, and what becomes of its response.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use tokio::time::{Sleep, sleep};

use super::{
    CostBody,
    meter::Meter,
    patience::{Next, Patience},
    plan::{Limits, Plan, marked},
};
use crate::{
    Failure, Frame, LayerError, LlmRequest, NoStore, UtcTime,
    budget::{Budgets, Decision, Refusal, Reservation},
    metering,
    watch::{Admit, Respond, WatchBody},
};

/// What the budgets say.
type Verdict = Result<Reservation, Box<Refusal>>;

/// The reservation is being decided, or will be.
enum Step {
    Decided(Option<Verdict>),
    Asking(Pin<Box<dyn Future<Output = Verdict> + Send>>),
    Pausing(Pin<Box<Sleep>>),
}

/// An attempt that waits for its reservation.
pub struct Reserving<R> {
    step: Step,
    plan: Plan,
    /// There until the wait is over.
    meter: Option<Meter>,
    patience: Patience,
    budgets: Budgets,
    limits: Limits<R>,
}

impl From<Decision> for Step {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Now(verdict) => Self::Decided(Some(verdict)),
            Decision::Later(decision) => Self::Asking(decision),
        }
    }
}

impl<R: LlmRequest> Reserving<R> {
    pub(super) fn new(
        decision: Decision,
        plan: Plan,
        meter: Meter,
        patience: Patience,
        budgets: Budgets,
        limits: Limits<R>,
    ) -> Self {
        meter.prepares(patience.prepares());
        Self {
            step: decision.into(),
            plan,
            meter: Some(meter),
            patience,
            budgets,
            limits,
        }
    }

    fn ask(&mut self, request: &R) {
        let before = self.patience.prepares();
        let decision = self
            .patience
            .ask(&self.budgets, request, &mut self.plan, UtcTime::now());
        // The first decision may have been a refusal, and only the one for less waits in turn.
        if let Some(meter) = self.meter.as_ref().filter(|_| self.patience.prepares() != before) {
            meter.waits_in_turn();
        }
        self.step = decision.into();
    }

    /// It is reserved: the attempt may be called, if its request takes what was reserved.
    fn reserved(&mut self, mut meter: Meter, held: Reservation, request: &mut R) -> Result<Meter, LayerError> {
        meter.prepared();
        let waited = self.patience.waited();
        if !waited.is_zero() {
            metering::waited("budget", waited);
        }
        match self.plan.fit(request, &held, &self.limits) {
            Ok(limited) => {
                meter.reserve(held, limited, &self.plan);
                Ok(meter)
            }
            Err(error) => Err(meter.refused(error)),
        }
    }
}

impl<R: LlmRequest, E: Failure + From<LayerError>> Admit<R, E> for Reserving<R> {
    type Respond = Meter;

    fn poll_admit(&mut self, request: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<Meter, E>> {
        loop {
            let verdict = match &mut self.step {
                Step::Decided(verdict) => verdict.take(),
                Step::Asking(decision) => Some(ready!(decision.as_mut().poll(cx))),
                Step::Pausing(pause) => {
                    ready!(pause.as_mut().poll(cx));
                    None
                }
            };
            let Some(verdict) = verdict else {
                self.ask(request.body());
                continue;
            };
            let Some(meter) = &self.meter else {
                return Poll::Pending;
            };
            let refusal = match verdict {
                Ok(held) => {
                    let Some(meter) = self.meter.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(self.reserved(meter, held, request.body_mut()).map_err(E::from));
                }
                Err(refusal) => refusal,
            };
            let call = request.body().call();
            match self.patience.after(&refusal, call.first_token_deadline()) {
                Next::Ask => self.ask(request.body()),
                Next::Pause(pause) => {
                    meter.waits(pause);
                    self.step = Step::Pausing(Box::pin(sleep(pause)));
                }
                Next::Refuse => {
                    let error = self.plan.over_budget(refusal, call.is_hedge(), false);
                    let refused = self.meter.take().map(|meter| meter.refused(error));
                    return refused.map_or(Poll::Pending, |error| Poll::Ready(Err(marked(error))));
                }
            }
        }
    }
}

impl<R> fmt::Debug for Reserving<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserving").finish_non_exhaustive()
    }
}

impl<B, E> Respond<Response<B>, E> for Meter
where
    E: Failure,
    B: http_body::Body<Error = E>,
    B::Data: Frame,
{
    type Response = Response<CostBody<B>>;

    fn polled(&mut self) {
        self.sent();
    }

    #[inline]
    fn respond(mut self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match result {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                self.responded(&parts);
                if let Some(limit) = self.default_limit() {
                    parts.extensions.insert(limit);
                }
                let mark = self.shortened();
                if self.is_limited() {
                    parts.extensions.insert(NoStore);
                }
                let mut response = Response::from_parts(parts, WatchBody::new(body, self));
                if let Some(mark) = mark {
                    mark.put(&mut response);
                }
                Ok(response)
            }
            Err(error) => {
                self.failed(&error);
                Err(error)
            }
        }
    }
}
