//! The slots of a stack, and what is built of them.

use std::{sync::Arc, time::Duration};

use tower_llm_layers::{
    Candidate,
    attempt::DEFAULT_CAP,
    auth::{KeySource, Keys},
    circuit_breaker::{CircuitPolicy, Circuits},
    fallback::{Capabilities, RequestedModel},
    observe::ObserveLayer,
    resume::ResumeLayer,
    retry::{Exponential, RetryPolicy, SharedSchedule},
    timeout::Timeouts,
};

use super::{
    BuildError, BuildProblem, CallTags, IntoCandidate, Stack, TenantKey, assemble::Parts, money::Money,
    settings::Settings,
};
use crate::degrade::CannedReply;
use crate::stream_upstream::StreamUpstreamLayer;
use crate::transport::{
    Attribution, OPENROUTER, Transport, TransportBuilder, TransportError, TransportProblem, Upstream,
};

/// Puts a [`Stack`] together: a slot for each layer, in whatever order they are named.
#[derive(Clone)]
pub struct StackBuilder {
    pub(super) settings: Settings,
    transport: TransportBuilder,
    /// The problems of the settings so far, returned by `build`.
    wrong: Vec<BuildProblem>,
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
            wrong: Vec::new(),
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
            Err(error) => self.wrong.extend(in_transport(error)),
        }
        self
    }

    /// Who may answer, in order: models at OpenRouter by name, or [`Candidate`]s. A request's own model goes before them.
    ///
    /// Without a chain each request must name its model.
    #[must_use]
    pub fn chain<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        self.settings.chain = Some(self.candidates("chain", candidates));
        self
    }

    /// Models of a cheaper class, asked when all of the chain has failed: put after it, and their answers are marked as
    /// [`Degraded`](tower_llm_layers::Degraded). Needs a [`chain`](Self::chain) before them.
    #[must_use]
    pub fn cheaper<C: IntoCandidate>(mut self, candidates: impl IntoIterator<Item = C>) -> Self {
        self.settings.cheaper = self.candidates("cheaper", candidates);
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

    pub(super) fn note(&mut self, problem: impl Into<BuildProblem>) {
        self.wrong.push(problem.into());
    }

    /// Those that can be asked; each of the others is a problem.
    fn candidates<C: IntoCandidate>(
        &mut self,
        field: &'static str,
        entries: impl IntoIterator<Item = C>,
    ) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            match entry.into_candidate() {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => {
                    let place = index + 1;
                    self.wrong.push(BuildProblem::Candidate { field, place, error });
                }
            }
        }
        candidates
    }

    /// Builds it over the transport.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names every setting that is wrong, what is wrong with it, and the fix.
    pub fn build(mut self) -> Result<Stack, BuildError> {
        let unknown = self.unknown_upstreams();
        let first = self.transport.names().next().unwrap_or(OPENROUTER).to_owned();
        let lost_upstream = self.lost_upstreams().next().is_some();
        let transport = self.transport.build().map_err(|error| {
            let problems = in_transport(error);
            // One was given, and is a problem already.
            let follows = |problem: &BuildProblem| {
                lost_upstream && *problem == BuildProblem::Transport(TransportProblem::NoUpstream)
            };
            self.wrong.extend(problems.filter(|problem| !follows(problem)));
        });
        self.wrong.extend(unknown);
        let parts = Parts::of(&self.settings, &first, &mut self.wrong);
        match transport {
            Ok(transport) if self.wrong.is_empty() => Ok(parts.assemble(self.settings, transport)),
            _ => Err(BuildError::of(self.wrong)),
        }
    }

    /// Builds it over a service of your own, which then takes the transport's place.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names every setting that is wrong, what is wrong with it, and the fix.
    pub fn build_over<S>(mut self, leaf: S) -> Result<Stack<S>, BuildError> {
        let parts = Parts::of(&self.settings, OPENROUTER, &mut self.wrong);
        if self.wrong.is_empty() {
            return Ok(parts.assemble(self.settings, leaf));
        }
        Err(BuildError::of(self.wrong))
    }

    /// The upstreams that were given and could not be made.
    fn lost_upstreams(&self) -> impl Iterator<Item = Option<&str>> {
        self.wrong.iter().filter_map(|problem| match problem {
            BuildProblem::Transport(TransportProblem::BaseUrl { upstream, .. }) => Some(Some(upstream.as_str())),
            BuildProblem::Transport(_) => Some(None),
            _ => None,
        })
    }

    /// The candidates whose upstream was not given. Without any upstream that is the problem, and not each candidate.
    fn unknown_upstreams(&self) -> Vec<BuildProblem> {
        let known: Vec<_> = self.transport.names().map(str::to_owned).collect();
        let given: Vec<_> = known
            .iter()
            .map(String::as_str)
            .chain(self.lost_upstreams().flatten())
            .collect();
        if given.is_empty() {
            return Vec::new();
        }
        let named = self.settings.chain.iter().flatten().chain(&self.settings.cheaper);
        let unknown = named.filter(|candidate| !given.contains(&candidate.upstream()));
        unknown
            .map(|candidate| BuildProblem::UnknownUpstream {
                candidate: candidate.clone(),
                known: known.clone(),
            })
            .collect()
    }
}

fn in_transport(error: TransportError) -> impl Iterator<Item = BuildProblem> {
    error.into_problems().into_iter().map(BuildProblem::Transport)
}

impl std::fmt::Debug for StackBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackBuilder")
            .field("chain", &self.settings.chain)
            .field("keys", &self.settings.keys)
            .finish_non_exhaustive()
    }
}
