//! What a stack is set to, and what can be wrong with it.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use tower_llm_layers::{
    Apis, Candidate, CandidateError,
    adaptive_concurrency::ConcurrencyLimits,
    auth::{KeySource, Keys},
    circuit_breaker::Circuits,
    events::EventSender,
    fallback::{Capabilities, ChainError, Hedge, RequestedModel},
    observe::ObserveLayer,
    pause::Pauses,
    rate_limit::{LimitStore, Limits},
    retry::{RetryBudget, Schedule},
    timeout::Timeouts,
};

use super::{BuildProblem, CallTags, TenantKey, candidates, finish::FailingFinish, limits::SharedLimits, money::Money};
use crate::{free, sealed::Sealed, transport::OPENROUTER};

/// What can stand in a chain: a model's name, which is then requested at OpenRouter, or a [`Candidate`]. Models with the variant
/// `:free`, and `openrouter/free`, share one quota, so they get a [pool](Candidate::with_pool) of their own, unless theirs was set.
///
/// Sealed: implemented here for all types that fit; nothing to implement.
pub trait IntoCandidate: Sealed {
    /// The candidate.
    ///
    /// # Errors
    ///
    /// If a name is blank.
    fn into_candidate(self) -> Result<Candidate, CandidateError>;
}

impl Sealed for Candidate {}

impl Sealed for &str {}

impl Sealed for String {}

impl IntoCandidate for Candidate {
    fn into_candidate(self) -> Result<Candidate, CandidateError> {
        Ok(free::in_its_pool(self))
    }
}

impl IntoCandidate for &str {
    fn into_candidate(self) -> Result<Candidate, CandidateError> {
        Candidate::new(OPENROUTER, self).map(free::in_its_pool)
    }
}

impl IntoCandidate for String {
    fn into_candidate(self) -> Result<Candidate, CandidateError> {
        self.as_str().into_candidate()
    }
}

/// Everything a stack is built from, apart from its inner service.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) keys: Keys,
    pub(super) chain: Option<Vec<Candidate>>,
    pub(super) requested_model: RequestedModel,
    pub(super) fallback_on_refusal: bool,
    pub(super) fallback_for_embeddings: bool,
    pub(super) server_side: bool,
    pub(super) router_metadata: bool,
    pub(super) capabilities: Option<Arc<dyn Capabilities>>,
    pub(super) tenant_limits: Option<(Limits, Duration)>,
    pub(super) tenant: TenantKey,
    pub(super) tenant_store: Option<Arc<dyn LimitStore>>,
    pub(super) upstream_store: Option<Arc<dyn LimitStore>>,
    pub(super) upstream_limits: Option<(Limits, Duration)>,
    pub(super) deadline: Option<Duration>,
    /// Whether it bounds the whole call. The default bounds the beginning of an answer.
    pub(super) sets_deadline: bool,
    pub(super) timeouts: Timeouts,
    pub(super) sets_first_token: bool,
    pub(super) attempts: u32,
    pub(super) attempts_per_candidate: u32,
    pub(super) max_retry_delay: Duration,
    pub(super) max_retry_delay_with_fallback: Duration,
    pub(super) retry_timeouts: bool,
    pub(super) backoff: Arc<dyn Schedule>,
    pub(super) budget: RetryBudget,
    pub(super) money: Money,
    pub(super) tags: CallTags,
    pub(super) required_tag: Option<String>,
    pub(super) observe: ObserveLayer,
    pub(super) events: Option<EventSender>,
    pub(super) cheaper: Vec<Candidate>,
    pub(super) circuits: Option<Circuits>,
    pub(super) shared_limits: SharedLimits,
    pub(super) pauses: Pauses,
    pub(super) concurrency: Option<ConcurrencyLimits>,
    pub(super) hedge: Option<Hedge>,
    /// Finish reasons that count as failures.
    pub(super) failing: FailingFinish,
    /// The upstreams that do not support all APIs.
    pub(super) limited_apis: Vec<(Box<str>, Apis)>,
}

impl Settings {
    /// The keys; without any, the inner service is called without.
    pub(super) fn keys(&self) -> Keys {
        let keys = self.keys.clone();
        if keys.is_empty() {
            keys.default_source(KeySource::None)
        } else {
            keys
        }
    }

    /// Adds what would never work, before the first call finds out.
    pub(super) fn check(&self, wrong: &mut Vec<BuildProblem>) {
        let attempts = [
            ("attempts", self.attempts),
            ("attempts_per_candidate", self.attempts_per_candidate),
        ];
        for (field, _) in attempts.into_iter().filter(|(_, attempts)| *attempts == 0) {
            wrong.push(BuildProblem::ZeroAttempts { field });
        }
        if self.chain.is_none() && !self.cheaper.is_empty() {
            wrong.push(BuildProblem::NoChain);
        }
        let chain = self.chain.as_deref().unwrap_or_default();
        let in_both = self.cheaper.iter().filter(|cheaper| chain.contains(cheaper));
        wrong.extend(in_both.cloned().map(BuildProblem::CheaperInChain));
        wrong.extend(twice(chain).map(|candidate| ChainError::Twice { candidate }.into()));
        wrong.extend(twice(&self.cheaper).map(BuildProblem::CheaperTwice));
        self.failing.check(wrong);
        candidates::check(chain.iter().chain(&self.cheaper), wrong);
        let timeouts = [
            ("first_token_timeout", self.timeouts.first_token),
            ("response_timeout", self.timeouts.response),
            ("idle_timeout", self.timeouts.idle),
            ("deadline", self.deadline),
        ];
        for (field, limit) in timeouts {
            let Some(limit) = limit else { continue };
            if limit.is_zero() {
                wrong.push(BuildProblem::ZeroLimit { field });
            }
            // A default above the deadline is no mistake: the deadline cuts it. A deadline of zero is a problem by itself.
            let was_set = field == "first_token_timeout" && self.sets_first_token;
            let deadline = self.deadline.filter(|deadline| !deadline.is_zero());
            let deadline = deadline.filter(|deadline| was_set && limit > *deadline);
            if let Some(deadline) = deadline {
                wrong.push(BuildProblem::AboveDeadline { field, limit, deadline });
            }
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("keys", &self.keys)
            .field("chain", &self.chain.as_deref().map(candidates::CandidatesDebug))
            .field("cheaper", &candidates::CandidatesDebug(&self.cheaper))
            .field("requested_model", &self.requested_model)
            .field("fallback_on_refusal", &self.fallback_on_refusal)
            .field("fallback_for_embeddings", &self.fallback_for_embeddings)
            .field("server_side", &self.server_side)
            .field("router_metadata", &self.router_metadata)
            .field("has_catalogue", &self.capabilities.is_some())
            .field("tenant_limits", &self.tenant_limits)
            .field("tenant_store", &self.tenant_store)
            .field("upstream_store", &self.upstream_store)
            .field("upstream_limits", &self.upstream_limits)
            .field("deadline", &self.deadline)
            .field("timeouts", &self.timeouts)
            .field("attempts", &self.attempts)
            .field("attempts_per_candidate", &self.attempts_per_candidate)
            .field("max_retry_delay", &self.max_retry_delay)
            .field("max_retry_delay_with_fallback", &self.max_retry_delay_with_fallback)
            .field("retry_timeouts", &self.retry_timeouts)
            .field("budget", &self.budget)
            .field("money", &self.money)
            .field("required_tag", &self.required_tag)
            .field("recorded_tags", &self.observe.recorded_tags().collect::<Vec<_>>())
            .field("circuits", &self.circuits)
            .field("concurrency", &self.concurrency)
            .field("hedge", &self.hedge)
            .field("failing", &self.failing)
            .finish_non_exhaustive()
    }
}

/// Those that are there more than once, each once.
fn twice(candidates: &[Candidate]) -> impl Iterator<Item = Candidate> {
    let (mut known, mut told) = (HashSet::new(), HashSet::new());
    candidates
        .iter()
        .filter(move |candidate| !known.insert(*candidate) && told.insert(*candidate))
        .cloned()
}
