use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    CostBody, CostFuture,
    future::Waiting,
    meter::Meter,
    plan::{Plan, Shorten, over_budget},
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
        self.exchange(request, R::set_max_tokens)
    }
}

impl<S> Cost<S> {
    fn exchange<R>(&mut self, mut request: Request<R>, shorten: Shorten<R>) -> CostFuture<S, R>
    where
        S: Service<Request<R>> + Clone,
        R: LlmRequest,
    {
        let line = match request.body_mut().call_mut().begin_exchange() {
            Ok(line) => line,
            Err(spent) => return CostFuture::refused(spent),
        };
        let started = crate::util::now();
        let began = UtcTime::at(started);
        let body = request.body();
        let candidate = candidate_of(body);
        let plan = Plan::of(&self.settings, body, candidate.as_ref(), began);
        let mut meter = Meter::new(&self.settings, body, candidate, (line, started, began));
        let (plan, ask) = match plan {
            Ok(Some(plan)) => plan,
            Ok(None) => return CostFuture::calling(self.inner.call(request), meter),
            Err(error) => return CostFuture::refused(meter.refused(error)),
        };
        let Some(budgets) = &self.settings.budgets else {
            return CostFuture::calling(self.inner.call(request), meter);
        };
        match budgets.reserve(ask) {
            Decision::Now(Ok(held)) => match plan.fit(request.body_mut(), &held, shorten) {
                Ok(clamped) => {
                    meter.hold(held, clamped);
                    CostFuture::calling(self.inner.call(request), meter)
                }
                Err(error) => CostFuture::refused(meter.refused(error)),
            },
            Decision::Now(Err(refusal)) => CostFuture::refused(meter.refused(over_budget(refusal))),
            Decision::Later(decision) => {
                // The service that is ready waits for the reservation; its clone stays here.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                let waiting = Waiting {
                    service: ready,
                    request,
                    plan,
                    meter,
                    shorten,
                };
                CostFuture::reserving(decision, waiting)
            }
        }
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
        self.0.exchange(request, |request, tokens| {
            request
                .budgeted()
                .is_some_and(|budgeted| budgeted.set_max_tokens(tokens))
        })
    }
}
