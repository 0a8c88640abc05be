//! The service that reserves and settles money.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    CostBody, CostFuture,
    future::Reserving,
    meter::Meter,
    patience::Patience,
    plan::{Limits, Plan, marked},
    settings::Settings,
};
use crate::{
    Budgeted, Failure, Frame, LayerError, LlmRequest, UtcTime, budget::Decision, protocol::candidate_of,
    util::inner_accessors,
};

/// The service of [`CostLayer`](super::CostLayer).
#[derive(Debug, Clone)]
pub struct Cost<S> {
    pub(super) inner: S,
    pub(super) settings: Arc<Settings>,
}

impl<S> Cost<S> {
    inner_accessors!();
}

impl<S, R, B> Service<Request<R>> for Cost<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest + Budgeted,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<CostBody<B>>;
    type Error = S::Error;
    type Future = CostFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let limits = Limits {
            max_tokens: R::set_max_tokens,
            max_tool_cost: R::set_max_tool_cost,
        };
        self.exchange(request, limits)
    }
}

impl<S> Cost<S> {
    fn exchange<R>(&mut self, mut request: Request<R>, limits: Limits<R>) -> CostFuture<S, R>
    where
        S: Service<Request<R>> + Clone,
        S::Error: Failure + From<LayerError>,
        R: LlmRequest,
    {
        let line = match request.body_mut().call_mut().begin_exchange() {
            Ok(line) => line,
            Err(spent) => return CostFuture::refused(LayerError::from(spent).into()),
        };
        let started = crate::util::now();
        let began = UtcTime::at(started);
        let body = request.body();
        let candidate = candidate_of(body);
        let plan = Plan::of(&self.settings, body, candidate.as_ref(), began);
        let mut meter = Meter::new(&self.settings, body, candidate, (line, started, began));
        let mut plan = match plan {
            Ok(Some(plan)) => plan,
            Ok(None) => return CostFuture::calling(self.inner.call(request), meter),
            Err(error) => return CostFuture::refused(meter.refused(error).into()),
        };
        let Some(budgets) = &self.settings.budgets else {
            return CostFuture::calling(self.inner.call(request), meter);
        };
        let call = body.call();
        let mut patience = Patience::new(
            call.may_shorten() && !call.is_hedge(),
            self.settings.max_reservation_wait,
        );
        let decision = match patience.ask(budgets, body, &mut plan, began) {
            Decision::Now(Ok(held)) => {
                return match plan.fit(request.body_mut(), &held, &limits) {
                    Ok(limited) => {
                        meter.reserve(held, limited, &plan);
                        CostFuture::calling(self.inner.call(request), meter)
                    }
                    Err(error) => CostFuture::refused(meter.refused(error).into()),
                };
            }
            Decision::Now(Err(refusal)) if patience.ends_here() => {
                let waits = !self.settings.max_reservation_wait.is_zero();
                let refused = plan.over_budget(refusal, call.is_hedge(), waits);
                return CostFuture::refused(marked(meter.refused(refused)));
            }
            decision => decision,
        };
        let reserving = Reserving::new(decision, plan, meter, patience, budgets.clone(), limits);
        CostFuture::waiting(&mut self.inner, request, reserving)
    }
}

/// The service of [`CostIfBudgetedLayer`](super::CostIfBudgetedLayer): [`Cost`] for requests that need not be [`Budgeted`].
#[derive(Debug, Clone)]
pub struct CostIfBudgeted<S>(pub(super) Cost<S>);

impl<S> CostIfBudgeted<S> {
    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        self.0.get_ref()
    }

    /// The wrapped service, to be changed.
    pub const fn get_mut(&mut self) -> &mut S {
        self.0.get_mut()
    }

    /// Takes the wrapped service out.
    pub fn into_inner(self) -> S {
        self.0.into_inner()
    }
}

impl<S, R, B> Service<Request<R>> for CostIfBudgeted<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<CostBody<B>>;
    type Error = S::Error;
    type Future = CostFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let limits = Limits::<R> {
            max_tokens: |request, tokens| request.budgeted().is_some_and(|request| request.set_max_tokens(tokens)),
            max_tool_cost: |request, most| {
                request
                    .budgeted()
                    .is_some_and(|request| request.set_max_tool_cost(most))
            },
        };
        self.0.exchange(request, limits)
    }
}
