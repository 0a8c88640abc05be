//! From settings to services: which layer stands where.

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_llm_layers::{
    Failure, Frame, LayerError, LlmRequest,
    adaptive_concurrency::AdaptiveConcurrencyLayer,
    attempt::AttemptLayer,
    auth::AuthLayer,
    circuit_breaker::CircuitBreakerLayer,
    cost::CostLayer,
    deadline::{DEFAULT_MAX_PAUSE, DeadlineLayer},
    degrade::DegradeLayer,
    events::EventsLayer,
    fallback::{Chain, ChainError, Fallback, FallbackLayer},
    observe::ObserveLayer,
    pause::PauseLayer,
    rate_limit::{LimitStore, LimitsError, PerCandidate, RateLimitLayer},
    retry::{Retry, RetryLayer},
    tagging::TaggingLayer,
    timeout::AttemptTimeoutLayer,
};
use tower_service::Service;

use super::{
    BuildProblem, CallTags, ErasedService, KnownModels, Stack, TenantKey, classify::Classify, degradation::Sources,
    describe::describe, settings::Settings, slots::Slots, upstream_capabilities::UpstreamCapabilities,
};

/// The chain of candidates, each with its retries, over what paces an attempt.
pub(super) type Chained<R, F, E> = Fallback<Retry<ErasedService<R, F, E>>>;

/// What may fail to be made of the settings.
pub(super) struct Parts {
    chain: Chain,
    cost: CostLayer,
    tenant_limits: Option<RateLimitLayer<TenantKey>>,
    upstream_limits: Option<RateLimitLayer<PerCandidate>>,
}

impl Parts {
    /// Makes them all, so that all that is wrong is found. What could not be made is left out: of no use unless nothing is wrong.
    pub(super) fn of(settings: &Settings, first_upstream: &str, wrong: &mut Vec<BuildProblem>) -> Self {
        settings.check(wrong);
        let tenant_limits = settings.tenant_limits.and_then(|(limits, max_wait)| {
            let key = settings.tenant.clone();
            let shared = settings.shared_limits.tenant_limits.clone();
            let layer = shared.map_or_else(|| RateLimitLayer::new(limits, key), Ok);
            let layer = layer.map(|layer| layer.report_limits(true));
            limit("tenant_limits", layer, max_wait, settings.tenant_store.clone(), wrong)
        });
        let upstream_limits = settings.upstream_limits.and_then(|(limits, max_wait)| {
            let store = settings.upstream_store.clone();
            let shared = settings.shared_limits.upstream.clone();
            let layer = shared.map_or_else(|| RateLimitLayer::new(limits, PerCandidate), Ok);
            limit("upstream_limits", layer, max_wait, store, wrong)
        });
        Self {
            chain: chain(settings, first_upstream, wrong),
            cost: settings
                .money
                .layer(settings.chain.iter().flatten().chain(&settings.cheaper), wrong),
            tenant_limits,
            upstream_limits,
        }
    }

    /// Right to left is inside out: what is applied first stands innermost. The types of what is inside are erased once, below the retries;
    /// a slot that is rarely used stands over an erased service of its own, and is not there if it is empty.
    pub(super) fn assemble<R, F, E, S, B>(self, settings: Settings, slots: &Slots<R, F, E>, inner: S) -> Stack<R, F, E>
    where
        S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = F, Error = E> + Send + Unpin + 'static,
        R: LlmRequest + Send + 'static,
        F: Frame + Buf + Send + 'static,
        E: Failure + From<LayerError> + Send + 'static,
    {
        let models = KnownModels::of(&settings);
        let description = describe(&settings, slots, &self.chain);
        let timeouts = AttemptTimeoutLayer::with_timeouts(settings.timeouts);
        let paced = Paced {
            upstream_limits: self.upstream_limits,
            settings: &settings,
        };
        let pauses = settings.pauses.clone();

        let service = AuthLayer::new(settings.keys()).layer(inner);
        let service = self.cost.if_budgeted().layer(service);
        let service = settings.failing.layer().layer(service);
        let service = match (&slots.classify, slots.around_attempt.is_empty(), &slots.provider_health) {
            (None, true, None) => paced.around(timeouts.layer(service)),
            (None, false, None) => {
                paced.around(timeouts.layer(wrapped(ErasedService::new(service), &slots.around_attempt)))
            }
            (classifier, _, Some((_, wrap))) => {
                let attempt = wrapped(ErasedService::new(service), &slots.around_attempt);
                let attempt = ErasedService::new(timeouts.layer(attempt));
                paced.around(wrap(match classifier {
                    None => attempt,
                    Some(classifier) => ErasedService::new(Classify {
                        inner: attempt,
                        classifier: Arc::clone(classifier),
                    }),
                }))
            }
            (Some(classifier), _, None) => paced.around(Classify {
                inner: ErasedService::new(timeouts.layer(wrapped(ErasedService::new(service), &slots.around_attempt))),
                classifier: Arc::clone(classifier),
            }),
        };

        let service = match &slots.conformance {
            Some(slot) => (slot.wrap)(service),
            None => service,
        };

        let retry = RetryLayer::new()
            .max_attempts(settings.attempts_per_candidate)
            .max_retry_delay(settings.max_retry_delay)
            .max_retry_delay_with_fallback(settings.max_retry_delay_with_fallback)
            .retry_timeouts(settings.retry_timeouts)
            .budget(settings.budget.clone())
            .schedule(settings.backoff.clone());
        let chain = FallbackLayer::new(self.chain).hedge(settings.hedge.clone());
        let service = chain.layer(retry.layer(service));

        let top = Top::of(&settings, slots);
        let deadline = top.deadline.clone();
        let has_cache = slots.cache.is_some() || slots.idempotency.is_some();
        let is_plain = slots.resume.is_none() && slots.around_call.is_empty() && !has_cache;
        let service = match (&slots.stream_upstream, &self.tenant_limits) {
            (None, None) if is_plain => top.around(service),
            (Some((layer, around_chain, _)), None) if is_plain => around_chain(*layer, top, service),
            _ => {
                let mut service = ErasedService::new(service);
                if let Some((_, wrap)) = &slots.resume {
                    service = wrap(service);
                }
                if let Some((.., wrap)) = &slots.stream_upstream {
                    service = wrap(service);
                }
                service = wrapped(service, &slots.around_call);
                if let Some(tenant_limits) = &self.tenant_limits {
                    service = ErasedService::new(tenant_limits.layer(service));
                }
                if let Some((cache, _)) = &slots.cache {
                    service = (cache.wrap)(service);
                }
                if let Some(keys) = &slots.idempotency {
                    service = (keys.wrap)(service, settings.money.ledger());
                }
                top.around(service)
            }
        };
        let service = match &settings.events {
            Some(sender) => ErasedService::new(EventsLayer::new(sender.clone()).layer(service)),
            None => service,
        };
        Stack::new(
            service,
            deadline,
            description,
            settings.circuits,
            pauses,
            settings.concurrency,
            models,
        )
    }
}

/// The layers between the retries and an attempt's timeouts.
struct Paced<'a> {
    upstream_limits: Option<RateLimitLayer<PerCandidate>>,
    settings: &'a Settings,
}

impl Paced<'_> {
    fn around<R, F, E, S, B>(&self, service: S) -> ErasedService<R, F, E>
    where
        S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
        R: LlmRequest + Send + 'static,
        F: Frame + Buf + Send + 'static,
        E: Failure + From<LayerError> + Send + 'static,
    {
        let attempt = AttemptLayer::new()
            .cap(self.settings.attempts)
            .router_attempts(self.settings.router_metadata);
        let service = attempt.layer(service);
        match &self.upstream_limits {
            Some(limits) => self.outside_of(limits.layer(service)),
            None => self.outside_of(service),
        }
    }

    /// What stands around the configured limits, if there are any.
    fn outside_of<R, F, E, S, B>(&self, service: S) -> ErasedService<R, F, E>
    where
        S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
        R: LlmRequest + Send + 'static,
        F: Frame + Buf + Send + 'static,
        E: Failure + From<LayerError> + Send + 'static,
    {
        let pauses = PauseLayer::shared(self.settings.pauses.clone()).max_wait(self.settings.max_retry_delay);
        let service = pauses.layer(service);
        let breaker = self.settings.circuits.clone().map(CircuitBreakerLayer::shared);
        let Some(limits) = &self.settings.concurrency else {
            return match breaker {
                Some(breaker) => ErasedService::new(breaker.layer(service)),
                None => ErasedService::new(service),
            };
        };
        let service = ErasedService::new(service);
        let service = AdaptiveConcurrencyLayer::shared(limits.clone()).layer(service);
        match breaker {
            Some(breaker) => ErasedService::new(breaker.layer(service)),
            None => ErasedService::new(service),
        }
    }
}

/// The layers of a call as a whole, from the deadline outwards.
pub(super) struct Top<R, F> {
    deadline: DeadlineLayer,
    sources: Option<Sources<R, F>>,
    observe: ObserveLayer,
    tagging: TaggingLayer<CallTags>,
}

impl<R, F> Top<R, F> {
    fn of<E>(settings: &Settings, slots: &Slots<R, F, E>) -> Self {
        let tagging = TaggingLayer::new(settings.tags.clone());
        let deadline = match settings.deadline {
            None => DeadlineLayer::from_caller(),
            Some(limit) if settings.sets_deadline => DeadlineLayer::new(limit),
            Some(limit) => DeadlineLayer::until_first_token(limit),
        };
        Self {
            // What the idle timeout allows, the deadline does not cut.
            deadline: deadline.max_pause(settings.timeouts.idle.map(|idle| idle.max(DEFAULT_MAX_PAUSE))),
            sources: Sources::of(slots),
            observe: settings.observe.clone(),
            tagging: match &settings.required_tag {
                Some(name) => tagging.require(name),
                None => tagging,
            },
        }
    }

    pub(super) fn around<E, S, B>(self, service: S) -> ErasedService<R, F, E>
    where
        S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
        R: LlmRequest + Send + 'static,
        F: Frame + Buf + Send + 'static,
        E: Failure + From<LayerError> + Send + 'static,
    {
        let service = self.deadline.layer(service);
        let Some(sources) = self.sources else {
            return ErasedService::new(self.tagging.layer(self.observe.layer(service)));
        };
        let service = DegradeLayer::new(sources).layer(ErasedService::new(service));
        ErasedService::new(self.tagging.layer(self.observe.layer(service)))
    }
}

/// The user's own layers, the first outermost.
fn wrapped<R, F, E>(service: ErasedService<R, F, E>, layers: &[super::slots::Wrap<R, F, E>]) -> ErasedService<R, F, E> {
    layers.iter().rev().fold(service, |service, wrap| wrap(service))
}

/// A limit; `None` if it cannot be set so.
fn limit<X: Clone>(
    field: &'static str,
    layer: Result<RateLimitLayer<X>, LimitsError>,
    max_wait: Duration,
    store: Option<Arc<dyn LimitStore>>,
    wrong: &mut Vec<BuildProblem>,
) -> Option<RateLimitLayer<X>> {
    let layer = layer
        .map_err(|error| wrong.push(BuildProblem::Limits { field, error }))
        .ok()?
        .max_wait(max_wait);
    Some(match store {
        Some(store) => layer.store(store),
        None => layer,
    })
}

/// Models that OpenRouter tries by itself at most for one request, the first included: it refuses a longer list.
const SERVER_SIDE_MODELS: usize = 3;

fn chain(settings: &Settings, first_upstream: &str, wrong: &mut Vec<BuildProblem>) -> Chain {
    let mut chain = Chain::asked(first_upstream.into());
    if let Some(candidates) = &settings.chain {
        match Chain::new(candidates.iter().cloned()) {
            Ok(fixed) => chain = fixed.cheaper(settings.cheaper.iter().cloned()),
            // It is not empty as it was given.
            Err(ChainError::Empty) if wrong.iter().any(is_of_chain) => {}
            // Each is a problem already.
            Err(ChainError::Twice { .. }) => {}
            Err(error) => wrong.push(error.into()),
        }
    }
    let chain = chain
        .requested_model(settings.requested_model.clone())
        .fallback_on_refusal(settings.fallback_on_refusal)
        .fallback_for_embeddings(settings.fallback_for_embeddings)
        .server_side(if settings.server_side { SERVER_SIDE_MODELS } else { 1 });
    match (&settings.capabilities, settings.limited_apis.is_empty()) {
        (Some(capabilities), true) => chain.capabilities(Arc::clone(capabilities)),
        (None, true) => chain,
        (capabilities, false) => chain.capabilities(Arc::new(UpstreamCapabilities {
            upstreams: settings.limited_apis.clone(),
            catalogue: capabilities.clone(),
        })),
    }
}

fn is_of_chain(problem: &BuildProblem) -> bool {
    matches!(problem, BuildProblem::Candidate { field: "chain", .. })
}
