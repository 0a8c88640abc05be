use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    CostBody, CostFuture,
    meter::Meter,
    plan::{Plan, over_budget},
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
    type Future = CostFuture<S, Request<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let line = match request.body_mut().call_mut().begin_exchange() {
            Ok(line) => line,
            Err(spent) => return CostFuture::refused(spent),
        };
        let started = Instant::now();
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
            Decision::Now(Ok(held)) => match plan.fit(request.body_mut(), &held) {
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
                CostFuture::reserving(decision, ready, request, plan, meter)
            }
        }
    }
}
