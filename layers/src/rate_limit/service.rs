//! The service that counts calls by key.

use std::{fmt, sync::Arc};

use http::{Request, Response};
use tower_service::Service;

use super::{
    LimitReport, RateLimitBody, RateLimitFuture,
    future::{RateLimitGuard, RateLimitWait},
    layer::Settings,
    limiter::Limiter,
};
use crate::{
    Failure, Frame, KeyExtractor, LayerError, LlmRequest,
    prices::PromptEstimate,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`RateLimitLayer`](super::RateLimitLayer).
#[derive(Clone)]
pub struct RateLimit<S, X> {
    pub(super) inner: S,
    pub(super) settings: Settings,
    pub(super) limiter: Option<Arc<Limiter>>,
    pub(super) key: X,
}

impl<S, X> RateLimit<S, X> {
    inner_accessors!();

    /// How many keys are held.
    pub fn keys(&self) -> usize {
        self.limiter.as_ref().map_or(0, |limiter| limiter.len())
    }
}

impl<S, X> fmt::Debug for RateLimit<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("settings", &self.settings)
            .field("keys", &self.keys())
            .finish_non_exhaustive()
    }
}

impl<S, X, R, B> Service<Request<R>> for RateLimit<S, X>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    X: KeyExtractor<R>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
    B::Data: Frame,
{
    type Response = Response<RateLimitBody<B>>;
    type Error = S::Error;
    type Future = RateLimitFuture<S, R>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let limited = self.limiter.as_ref().and_then(|limiter| {
            let key = self.key.key(&request)?;
            let shared = limiter.shared(&key);
            Some((limiter.bucket(key)?, shared))
        });
        let Some((bucket, shared)) = limited else {
            return RateLimitFuture::calling(self.inner.call(request), RateLimitGuard(None));
        };
        let report = self.settings.reports.then(|| request.extensions().get::<LimitReport>());
        if let (Some(Some(report)), None, Some(limiter)) = (report, &shared, &self.limiter) {
            report.here(limiter.limits(), &bucket);
        }
        let prompt = if bucket.counts_tokens() || shared.as_ref().is_some_and(|shared| shared.limits.tokens.is_some()) {
            PromptEstimate::of(&request.body().needs())
        } else {
            PromptEstimate::default()
        };
        let answer = request.body().max_tokens().unwrap_or(self.settings.answer_tokens);
        let full = if shared.is_some() {
            None
        } else {
            match bucket.admit(prompt.tokens().saturating_add(answer), None) {
                Ok(grant) => {
                    let grant = grant.of_turn(request.body().call().turn_handle());
                    let granted = RateLimitGuard(Some((grant, prompt)));
                    return RateLimitFuture::calling(self.inner.call(request), granted);
                }
                Err(full) => Some(full),
            }
        };
        let queued = RateLimitWait::new(bucket, (prompt, answer), full, shared, self.settings);
        RateLimitFuture::waiting(&mut self.inner, request, queued)
    }
}
