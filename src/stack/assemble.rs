//! From settings to services.

use std::{sync::Arc, time::Duration};

use tower_layer::Layer;
use tower_llm_layers::{
    adaptive_concurrency::AdaptiveConcurrencyLayer,
    attempt::AttemptLayer,
    auth::AuthLayer,
    circuit_breaker::CircuitBreakerLayer,
    cost::CostLayer,
    deadline::DeadlineLayer,
    degrade::DegradeLayer,
    fallback::{Chain, FallbackLayer},
    first_token::FirstTokenLayer,
    rate_limit::{LimitStore, Limits, PerCandidate, RateLimitLayer},
    retry::RetryLayer,
    tagging::TaggingLayer,
    timeout::AttemptTimeoutLayer,
};

use super::{BuildProblem, Stack, StackLadder, TenantKey, caching, describe::describe, settings::Settings};

/// What may fail to be made of the settings.
pub(super) struct Parts {
    chain: Chain,
    cost: CostLayer,
    admission: RateLimitLayer<TenantKey>,
    upstream_limits: RateLimitLayer<PerCandidate>,
}

impl Parts {
    /// Makes them all, so that all that is wrong is found. What could not be made is left out: of no use unless nothing is wrong.
    pub(super) fn of(settings: &Settings, first_upstream: &str, wrong: &mut Vec<BuildProblem>) -> Self {
        settings.check(wrong);
        Self {
            chain: chain(settings, first_upstream, wrong),
            cost: settings.money.layer(wrong),
            admission: limit(
                "admit",
                settings.admission,
                settings.tenant_store.clone(),
                settings.tenant.clone(),
                wrong,
            ),
            upstream_limits: limit(
                "upstream_limits",
                settings.upstream_limits,
                settings.upstream_store.clone(),
                PerCandidate,
                wrong,
            ),
        }
    }

    /// Right to left is inside out: what is applied first stands innermost.
    pub(super) fn assemble<S>(self, settings: Settings, leaf: S) -> Stack<S> {
        let Self {
            chain,
            cost,
            admission,
            upstream_limits,
        } = self;
        let description = describe(&settings, &chain);
        let cache = caching::layer(&settings);
        let has_rung = settings.canned.is_some() || caching::keeps_stale(&settings);

        let service = AuthLayer::new(settings.keys).layer(leaf);
        let service = cost.layer(service);
        let service = FirstTokenLayer::new().layer(service);
        let service = AttemptTimeoutLayer::with_timeouts(settings.timeouts).layer(service);
        let service = AttemptLayer::new().cap(settings.attempts).layer(service);
        let service = upstream_limits.pauses(true).layer(service);
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
        let service = admission.layer(service);
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
        Stack::new(service, description, settings.circuits, settings.concurrency)
    }
}

/// A limit, or an empty slot.
fn limit<X: Clone>(
    field: &'static str,
    limits: Option<(Limits, Duration)>,
    store: Option<Arc<dyn LimitStore>>,
    key: X,
    wrong: &mut Vec<BuildProblem>,
) -> RateLimitLayer<X> {
    let Some((limits, max_wait)) = limits else {
        return RateLimitLayer::off(key);
    };
    match RateLimitLayer::new(limits, key.clone()) {
        Ok(layer) => {
            let layer = layer.max_wait(max_wait);
            match store {
                Some(store) => layer.store(store),
                None => layer,
            }
        }
        Err(error) => {
            wrong.push(BuildProblem::Limits { field, error });
            RateLimitLayer::off(key)
        }
    }
}

fn chain(settings: &Settings, first_upstream: &str, wrong: &mut Vec<BuildProblem>) -> Chain {
    let mut chain = Chain::asked(first_upstream.into());
    if let Some(candidates) = &settings.chain {
        match Chain::new(candidates.iter().cloned()) {
            Ok(fixed) => chain = fixed.cheaper(settings.cheaper.iter().cloned()),
            // It is not empty as it was given.
            Err(_) if wrong.iter().any(is_of_chain) => {}
            Err(error) => wrong.push(error.into()),
        }
    }
    let chain = chain
        .requested_model(settings.requested_model.clone())
        .fallback_on_refusal(settings.fallback_on_refusal)
        .server_side(settings.server_side);
    match &settings.capabilities {
        Some(capabilities) => chain.capabilities(Arc::clone(capabilities)),
        None => chain,
    }
}

fn is_of_chain(problem: &BuildProblem) -> bool {
    matches!(problem, BuildProblem::Candidate { field: "chain", .. })
}
