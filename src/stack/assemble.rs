//! From settings to services.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;
use tower_llm_layers::{
    adaptive_concurrency::AdaptiveConcurrencyLayer,
    attempt::AttemptLayer,
    auth::AuthLayer,
    circuit_breaker::CircuitBreakerLayer,
    deadline::DeadlineLayer,
    degrade::DegradeLayer,
    fallback::{Chain, FallbackLayer},
    first_token::FirstTokenLayer,
    rate_limit::{LimitStore, Limits, PerCandidate, RateLimitLayer},
    retry::RetryLayer,
    tagging::TaggingLayer,
    timeout::AttemptTimeoutLayer,
};

use super::{BuildError, Stack, StackBuilder, StackLadder, caching, describe::describe, settings::Settings};

impl StackBuilder {
    /// Right to left is inside out: what is applied first stands innermost.
    pub(super) fn assemble<S>(self, first_upstream: &str, leaf: S) -> Result<Stack<S>, BuildError> {
        let settings = self.settings;
        settings.check()?;
        let chain = chain(&settings, first_upstream)?;
        let description = describe(&settings, &chain);
        let cache = caching::layer(&settings);
        let has_rung = settings.canned.is_some() || caching::keeps_stale(&settings);

        let service = AuthLayer::new(settings.keys).layer(leaf);
        let service = settings.money.layer()?.layer(service);
        let service = FirstTokenLayer::new().layer(service);
        let service = AttemptTimeoutLayer::with_timeouts(settings.timeouts).layer(service);
        let service = AttemptLayer::new().cap(settings.attempts).layer(service);
        let service = limit(settings.upstream_limits, settings.upstream_store, PerCandidate)?
            .pauses(true)
            .layer(service);
        let concurrency = settings
            .concurrency
            .clone()
            .map_or_else(AdaptiveConcurrencyLayer::off, AdaptiveConcurrencyLayer::shared);
        let service = concurrency.layer(service);
        let breaker = settings
            .circuits
            .clone()
            .map_or_else(CircuitBreakerLayer::off, CircuitBreakerLayer::shared);
        let service = breaker.layer(service);
        let retry = RetryLayer::new()
            .max_attempts(settings.attempts_per_candidate)
            .max_retry_delay(settings.max_retry_delay)
            .max_retry_delay_with_fallback(settings.max_retry_delay_with_fallback)
            .retry_timeouts(settings.retry_timeouts)
            .budget(settings.budget)
            .schedule(settings.backoff);
        let service = retry.layer(service);
        let service = FallbackLayer::new(chain).hedge(settings.hedge).layer(service);
        let service = settings.resume.layer(service);
        let service = settings.stream_upstream.layer(service);
        let service = limit(settings.admission, settings.tenant_store, settings.tenant)?.layer(service);
        let service = cache.layer(service);
        let deadline = settings
            .deadline
            .map_or_else(DeadlineLayer::from_caller, DeadlineLayer::new);
        let service = deadline.layer(service);
        let degradation = StackLadder {
            canned: settings.canned,
            #[cfg(feature = "cache")]
            cache: settings.cache,
        };
        let degrade = if has_rung {
            DegradeLayer::new(degradation)
        } else {
            DegradeLayer::off(degradation)
        };
        let service = degrade.layer(service);
        let service = settings.observe.layer(service);
        let mut tagging = TaggingLayer::new(settings.tags);
        if let Some(name) = &settings.required_tag {
            tagging = tagging.require(name);
        }
        let service = tagging.layer(service);
        Ok(Stack::new(
            service,
            description,
            settings.circuits,
            settings.concurrency,
        ))
    }
}

/// A limit, or an empty slot.
fn limit<X>(
    limits: Option<(Limits, Duration)>,
    store: Option<Arc<dyn LimitStore>>,
    key: X,
) -> Result<RateLimitLayer<X>, BuildError> {
    Ok(match limits {
        Some((limits, max_wait)) => {
            let layer = RateLimitLayer::new(limits, key)?.max_wait(max_wait);
            match store {
                Some(store) => layer.store(store),
                None => layer,
            }
        }
        None => RateLimitLayer::off(key),
    })
}

fn chain(settings: &Settings, first_upstream: &str) -> Result<Chain, BuildError> {
    let chain = match &settings.chain {
        Some(candidates) => Chain::new(candidates.iter().cloned())?.cheaper(settings.cheaper.iter().cloned()),
        None => Chain::asked(first_upstream.into()),
    };
    let chain = chain
        .requested_model(settings.requested_model.clone())
        .fallback_on_refusal(settings.fallback_on_refusal)
        .server_side(settings.server_side);
    Ok(match &settings.capabilities {
        Some(capabilities) => chain.capabilities(Arc::clone(capabilities)),
        None => chain,
    })
}
