use std::{sync::Arc, time::Duration};

use tower_llm_layers::{
    Candidate, CandidateError,
    attempt::DEFAULT_CAP,
    auth::{KeySource, Keys},
    circuit_breaker::{CircuitPolicy, Circuits},
    fallback::{Capabilities, RequestedModel},
    observe::ObserveLayer,
    resume::ResumeLayer,
    retry::{Exponential, RetryPolicy, SharedSchedule},
    timeout::Timeouts,
};

use super::{BuildError, CallTags, IntoCandidate, Stack, TenantKey, money::Money, settings::Settings};
use crate::degrade::CannedReply;
use crate::stream_upstream::StreamUpstreamLayer;
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
            requested_model: RequestedModel::First,
            fallback_on_refusal: false,
            server_side: false,
            capabilities: None,
            admission: None,
            tenant: TenantKey::everyone(),
            tenant_store: None,
            upstream_store: None,
            upstream_limits: None,
            deadline: Some(Duration::from_secs(180)),
            timeouts: Timeouts::default(),
            sets_first_token: false,
            attempts: DEFAULT_CAP,
            attempts_per_candidate: policy.max_attempts,
            max_retry_delay: policy.max_retry_delay,
            max_retry_delay_with_fallback: policy.max_retry_delay_with_fallback,
            retry_timeouts: policy.retry_timeouts,
            backoff: SharedSchedule::new(Exponential::default()),
            budget: policy.budget,
            money: Money::default(),
            tags: CallTags::none(),
            required_tag: None,
            observe: ObserveLayer::new(),
            canned: None,
            cheaper: Vec::new(),
            #[cfg(feature = "cache")]
            cache: None,
            circuits: Circuits::new(CircuitPolicy::new()).ok(),
            concurrency: None,
            hedge: None,
            resume: ResumeLayer::off(),
            stream_upstream: StreamUpstreamLayer::on_request(),
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
    /// [`Degraded`](tower_llm_layers::Degraded). Needs a [`chain`](Self::chain) before them.
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

    /// What is said when nobody answers, in the place of the failure: a marked reply in the right form. None by default. It comes
    /// when all has been tried, waits that an upstream asked for included: for a sooner one shorten [`max_retry_delay`](Self::max_retry_delay).
    #[must_use]
    pub fn canned_reply(mut self, reply: CannedReply) -> Self {
        self.settings.canned = Some(reply);
        self
    }

    /// What to do with the model that a request names itself: it goes first by default.
    #[must_use]
    pub fn requested_model(mut self, asked: RequestedModel) -> Self {
        self.settings.requested_model = asked;
        self
    }

    /// Whether another candidate may answer what one has refused on moderation or policy. Off by default.
    #[must_use]
    pub const fn fallback_on_refusal(mut self, moves: bool) -> Self {
        self.settings.fallback_on_refusal = moves;
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

    pub(super) fn note(&mut self, error: impl Into<BuildError>) {
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
            let names = || transport.upstreams().map(Upstream::name);
            if !names().any(|name| name == candidate.upstream()) {
                return Err(BuildError::UnknownUpstream {
                    candidate: candidate.clone(),
                    known: names().map(str::to_owned).collect(),
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
}

impl std::fmt::Debug for StackBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackBuilder")
            .field("chain", &self.settings.chain)
            .field("keys", &self.settings.keys)
            .finish_non_exhaustive()
    }
}
