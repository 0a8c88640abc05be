use std::{sync::Arc, time::Duration};

use tower_layer::Layer;
use tower_llm_layers::{
    Candidate, CandidateError,
    attempt::{AttemptLayer, DEFAULT_CAP},
    auth::{AuthLayer, KeySource, Keys},
    deadline::DeadlineLayer,
    degrade::DegradeLayer,
    fallback::{AskedModel, Capabilities, Chain, FallbackLayer},
    first_token::FirstTokenLayer,
    rate_limit::{Limits, PerCandidate, RateLimitLayer},
    retry::{Exponential, RetryBudget, RetryLayer, RetryPolicy},
    tagging::TaggingLayer,
    timeout::{AttemptTimeoutLayer, Clocks, PaceFloor},
};

use super::{
    BuildError, CallTags, IntoCandidate, Stack, TenantKey, describe::describe, money::Money, settings::Settings,
};
use crate::degrade::CannedReply;
use crate::transport::{Attribution, OPENROUTER, Transport, TransportBuilder, TransportError, Upstream};

/// Puts a [`Stack`] together: a slot for each layer, in whatever order they are named.
#[derive(Clone)]
pub struct StackBuilder {
    pub(super) settings: Settings,
    transport: TransportBuilder,
    /// The first thing that went wrong on the way, told by `build`.
    wrong: Option<BuildError>,
}

impl StackBuilder {
    pub(super) fn new() -> Self {
        let policy = RetryPolicy::default();
        let settings = Settings {
            keys: Keys::new(),
            chain: None,
            asked_model: AskedModel::First,
            moves_on_refusal: false,
            server_side: false,
            capabilities: None,
            admission: None,
            tenant: TenantKey::everyone(),
            upstream_limits: None,
            total: Some(Duration::from_secs(180)),
            clocks: Clocks::default(),
            attempts: DEFAULT_CAP,
            attempts_per_candidate: policy.max_attempts,
            max_wait: policy.max_wait,
            retry_silent: policy.retry_silent,
            backoff: Exponential::default(),
            budget: policy.budget,
            money: Money::default(),
            tags: CallTags::none(),
            canned: None,
            cheaper: Vec::new(),
        };
        Self {
            settings,
            transport: Transport::builder(),
            wrong: None,
        }
    }

    /// Adds an upstream with its key. The first one is where a request's own model is asked for.
    #[must_use]
    pub fn upstream(mut self, upstream: Result<Upstream, TransportError>, key: impl Into<KeySource>) -> Self {
        match upstream {
            Ok(upstream) => {
                self.settings.keys = self.settings.keys.upstream(upstream.name(), key);
                self.transport = self.transport.upstream(upstream);
            }
            Err(error) => self.note(error),
        }
        self
    }

    /// Who may answer, in order: models at OpenRouter by name, or [`Candidate`]s. A request's own model goes before them.
    ///
    /// Without a chain each request must name its model.
    #[must_use]
    pub fn chain<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        let chain: Result<Vec<Candidate>, CandidateError> =
            candidates.into_iter().map(IntoCandidate::into_candidate).collect();
        match chain {
            Ok(chain) => self.settings.chain = Some(chain),
            Err(error) => self.note(error),
        }
        self
    }

    /// Models of a cheaper class, asked when all of the chain has failed: put after it, and their answers are marked as
    /// [`Degraded`](tower_llm_layers::degrade::Degraded). Needs a [`chain`](Self::chain).
    #[must_use]
    pub fn cheaper<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        let cheaper: Result<Vec<Candidate>, CandidateError> =
            candidates.into_iter().map(IntoCandidate::into_candidate).collect();
        match cheaper {
            Ok(cheaper) => self.settings.cheaper = cheaper,
            Err(error) => self.note(error),
        }
        self
    }

    /// What is said when nobody answers, in the place of the failure: a marked reply in the right form. None by default.
    #[must_use]
    pub fn canned_reply(mut self, reply: CannedReply) -> Self {
        self.settings.canned = Some(reply);
        self
    }

    /// What to do with the model that a request names itself: it goes first by default.
    #[must_use]
    pub fn asked_model(mut self, asked: AskedModel) -> Self {
        self.settings.asked_model = asked;
        self
    }

    /// Whether another candidate may answer what one has refused on moderation or policy. Off by default.
    #[must_use]
    pub const fn moves_on_refusal(mut self, moves: bool) -> Self {
        self.settings.moves_on_refusal = moves;
        self
    }

    /// Whether the next candidates go along as OpenRouter's own `models` list, three in all. Off by default.
    #[must_use]
    pub const fn server_side_fallback(mut self, on: bool) -> Self {
        self.settings.server_side = on;
        self
    }

    /// Passes over candidates that cannot take a request, by this catalogue.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Arc<dyn Capabilities>) -> Self {
        self.settings.capabilities = Some(catalogue);
        self
    }

    /// Limits of each tenant, once a call: requests, tokens, calls at once. A call waits up to `max_wait` for its turn, and is
    /// refused with the exact time otherwise. None by default.
    #[must_use]
    pub fn admit(mut self, limits: Limits, tenant: TenantKey, max_wait: Duration) -> Self {
        self.settings.admission = Some((limits, max_wait));
        self.settings.tenant = tenant;
        self
    }

    /// Limits of each candidate, once an attempt. One that is throttled and says for how long pauses all calls to it; they wake
    /// spread out. An attempt waits up to `max_wait` for its turn, and moves on otherwise. None by default.
    #[must_use]
    pub const fn upstream_limits(mut self, limits: Limits, max_wait: Duration) -> Self {
        self.settings.upstream_limits = Some((limits, max_wait));
        self
    }

    /// The longest time from the start of a call to its last byte; 180 s by default, `None` for none. A caller's
    /// [`DEADLINE_HEADER`](tower_llm_layers::deadline::DEADLINE_HEADER) can only shorten it.
    #[must_use]
    pub fn total(mut self, total: impl Into<Option<Duration>>) -> Self {
        self.settings.total = total.into();
        self
    }

    /// From the start of a streamed attempt to its first token; 20 s by default. The last candidate, or the only one, gets
    /// [`last_grace`](Self::last_grace) on top: set that to zero for a hard limit.
    #[must_use]
    pub fn first_token(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.clocks.first_token = limit.into();
        self
    }

    /// From the start of a plain attempt to its whole answer; 120 s by default.
    #[must_use]
    pub fn answer(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.clocks.answer = limit.into();
        self
    }

    /// Added to both for the last candidate, since nobody comes after it; 20 s by default.
    #[must_use]
    pub const fn last_grace(mut self, grace: Duration) -> Self {
        self.settings.clocks.last_grace = grace;
        self
    }

    /// The longest silence once the answer has begun; 30 s by default.
    #[must_use]
    pub fn idle(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.clocks.idle = limit.into();
        self
    }

    /// The slowest stream that is still worth waiting for; off by default.
    #[must_use]
    pub fn pace(mut self, floor: impl Into<Option<PaceFloor>>) -> Self {
        self.settings.clocks.pace = floor.into();
        self
    }

    /// The most attempts one call may make in all; [`DEFAULT_CAP`] by default.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// The most attempts on one candidate, the first included; 2 by default.
    #[must_use]
    pub const fn attempts_per_candidate(mut self, attempts: u32) -> Self {
        self.settings.attempts_per_candidate = attempts;
        self
    }

    /// The longest wait for one retry; where the upstream asks for more, the next candidate answers. 20 s by default.
    #[must_use]
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.settings.max_wait = wait;
        self
    }

    /// Whether a silent candidate is tried again where there is no other. Off by default.
    #[must_use]
    pub const fn retry_silent(mut self, retry: bool) -> Self {
        self.settings.retry_silent = retry;
        self
    }

    /// How long to wait for a retry where the upstream does not say.
    #[must_use]
    pub fn backoff(mut self, backoff: Exponential) -> Self {
        self.settings.backoff = backoff;
        self
    }

    /// The process-wide ratio of retries to calls: give all stacks of a process the same one.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.settings.budget = budget;
        self
    }

    /// How the app shows at OpenRouter.
    #[must_use]
    pub fn attribution(mut self, attribution: Attribution) -> Self {
        self.transport = self.transport.attribution(attribution);
        self
    }

    /// Changes how connections are made and kept.
    #[must_use]
    pub fn connections(mut self, change: impl FnOnce(TransportBuilder) -> TransportBuilder) -> Self {
        self.transport = change(self.transport);
        self
    }

    fn note(&mut self, error: impl Into<BuildError>) {
        self.wrong.get_or_insert(error.into());
    }

    /// Builds it over the transport.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting, what is wrong with it, and the fix.
    pub fn build(self) -> Result<Stack, BuildError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let transport = self.transport.clone().build()?;
        for candidate in self.settings.chain.iter().flatten().chain(&self.settings.cheaper) {
            if !transport
                .upstreams()
                .any(|upstream| upstream.name() == candidate.upstream())
            {
                return Err(BuildError::UnknownUpstream {
                    upstream: candidate.upstream().to_owned(),
                });
            }
        }
        let first = transport
            .upstreams()
            .next()
            .map_or(OPENROUTER, Upstream::name)
            .to_owned();
        self.assemble(&first, transport)
    }

    /// Builds it over a service of your own, which then takes the transport's place.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the setting, what is wrong with it, and the fix.
    pub fn build_over<S>(self, leaf: S) -> Result<Stack<S>, BuildError> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        self.assemble(OPENROUTER, leaf)
    }

    /// Right to left is inside out: what is applied first stands innermost.
    fn assemble<S>(self, first_upstream: &str, leaf: S) -> Result<Stack<S>, BuildError> {
        let settings = self.settings;
        settings.check()?;
        let chain = chain(&settings, first_upstream)?;
        let description = describe(&settings, &chain);

        let service = AuthLayer::new(settings.keys).layer(leaf);
        let service = settings.money.layer()?.layer(service);
        let service = FirstTokenLayer::new().layer(service);
        let service = AttemptTimeoutLayer::with_clocks(settings.clocks).layer(service);
        let service = AttemptLayer::new().cap(settings.attempts).layer(service);
        let service = limit(settings.upstream_limits, PerCandidate)?
            .pauses(true)
            .layer(service);
        let retry = RetryLayer::new()
            .max_attempts(settings.attempts_per_candidate)
            .max_wait(settings.max_wait)
            .retry_silent(settings.retry_silent)
            .budget(settings.budget)
            .schedule(settings.backoff);
        let service = retry.layer(service);
        let service = FallbackLayer::new(chain).layer(service);
        let service = limit(settings.admission, settings.tenant)?.layer(service);
        let deadline = settings
            .total
            .map_or_else(DeadlineLayer::from_caller, DeadlineLayer::new);
        let service = deadline.layer(service);
        let service = if settings.canned.is_none() && settings.cheaper.is_empty() {
            DegradeLayer::off(None).layer(service)
        } else {
            DegradeLayer::new(settings.canned)
                .cheaper(settings.cheaper)
                .layer(service)
        };
        let service = TaggingLayer::new(settings.tags).layer(service);
        Ok(Stack::new(service, description))
    }
}

/// A limit, or an empty slot.
fn limit<X>(limits: Option<(Limits, Duration)>, key: X) -> Result<RateLimitLayer<X>, BuildError> {
    Ok(match limits {
        Some((limits, max_wait)) => RateLimitLayer::new(limits, key)?.max_wait(max_wait),
        None => RateLimitLayer::off(key),
    })
}

fn chain(settings: &Settings, first_upstream: &str) -> Result<Chain, BuildError> {
    let chain = match &settings.chain {
        Some(candidates) => Chain::new(candidates.iter().chain(&settings.cheaper).cloned())?,
        None => Chain::asked(first_upstream.into()),
    };
    let chain = chain
        .asked_model(settings.asked_model.clone())
        .moves_on_refusal(settings.moves_on_refusal)
        .server_side(settings.server_side);
    Ok(match &settings.capabilities {
        Some(capabilities) => chain.capabilities(Arc::clone(capabilities)),
        None => chain,
    })
}

impl std::fmt::Debug for StackBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackBuilder")
            .field("chain", &self.settings.chain)
            .field("keys", &self.settings.keys)
            .finish_non_exhaustive()
    }
}
