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
use crate::{Candidate, Failure, Frame, LayerError, LlmRequest, UtcTime, budget::Decision, macros::inner_accessors};

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
    R: LlmRequest,
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
        let started = Instant::now();
        let began = UtcTime::at(started);
        let body = request.body();
        let unnamed = || Candidate::new("upstream", body.model()?).ok();
        let candidate = body.call().candidate().cloned().or_else(unnamed);
        let plan = match Plan::of(&self.settings, body, candidate.as_ref(), began) {
            Ok(plan) => plan,
            Err(error) => return CostFuture::refused(error),
        };
        let mut meter = Meter::new(&self.settings, body, candidate, (started, began));
        let Some((plan, ask)) = plan else {
            return CostFuture::calling(self.inner.call(request), meter);
        };
        let Some(budgets) = &self.settings.budgets else {
            return CostFuture::calling(self.inner.call(request), meter);
        };
        match budgets.reserve(ask) {
            Decision::Now(Ok(held)) => {
                let clamped = plan.fit(request.body_mut(), &held);
                meter.hold(held, clamped);
                CostFuture::calling(self.inner.call(request), meter)
            }
            Decision::Now(Err(refusal)) => CostFuture::refused(over_budget(refusal)),
            Decision::Later(decision) => {
                // The service that is ready waits for the hold; its clone stays here.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                CostFuture::reserving(decision, ready, request, plan, meter)
            }
        }
    }
}
