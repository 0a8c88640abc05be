//! What the layers themselves can fail with.

use std::time::Duration;

use crate::{CandidateError, FailureKind, Phase, call::CapSpent};

/// How long after a store has failed to answer it is called again at the latest.
pub(super) const STORE_PROBE: Duration = Duration::from_secs(1);

/// When to try again if nothing says for how long a limit of ours is full: an attempt in flight may end at any time.
const SOON: Duration = Duration::from_secs(1);

/// A failure that a layer adds; your error type takes it in by `From`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerError {
    /// A timeout elapsed.
    Elapsed {
        /// Which one.
        phase: Phase,
        /// How long it was.
        limit: Duration,
    },
    /// The answer ended before it began.
    EmptyResponse,
    /// The answer ended for a reason that counts as a failure by the stack's own settings.
    FinishReason {
        /// The upstream's word for it.
        reason: String,
        /// As which kind of failure it counts.
        kind: FailureKind,
    },
    /// The answer does not match the request.
    Nonconformant(Box<super::Nonconformity>),
    /// No candidate of the chain can take this request.
    NoCandidate {
        /// Each candidate with the reason why not.
        reasons: Vec<String>,
    },
    /// The model that the request names cannot be one.
    BadModel {
        /// Why not.
        problem: CandidateError,
    },
    /// The request is too long for the context of every candidate of the chain.
    PromptTooLong {
        /// Each candidate with its context.
        reasons: Vec<String>,
    },
    /// The cap on attempts of this call is spent.
    AttemptsSpent {
        /// The cap.
        cap: u32,
    },
    /// There is no key for this upstream, or none that may be used now.
    NoKey {
        /// The upstream.
        upstream: String,
        /// What to do.
        reason: String,
        /// When a resting key may be used again.
        retry_after: Option<Duration>,
    },
    /// The candidate is not called: it has asked for a pause, or its quota is exhausted.
    Paused {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// What the upstream said: [`RateLimited`](FailureKind::RateLimited) or [`QuotaExhausted`](FailureKind::QuotaExhausted).
        kind: FailureKind,
        /// When it is called again, as a probe or since the pause is over.
        retry_after: Duration,
        /// When the pause is over by itself.
        ends_in: Duration,
    },
    /// The call is over a limit of ours.
    RateLimited {
        /// How much of what in how long; `None` for calls at once.
        limit: Option<(u32, &'static str, Duration)>,
        /// The exact time until it could pass, if that is known.
        retry_after: Option<Duration>,
    },
    /// The candidate is down, and its circuit breaker lets nothing through for now.
    CircuitOpen {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// When it is probed next, or when the lease of the probe under way ends; zero if it accepts part of the attempts again.
        retry_after: Option<Duration>,
    },
    /// The candidate is at its concurrency limit, and this attempt cannot wait.
    ConcurrencyLimited {
        /// Its model.
        model: String,
        /// Its upstream.
        upstream: String,
        /// Its concurrency limit.
        limit: u32,
        /// How many calls wait already.
        waiting: usize,
        /// How long it would have had to wait; `None` while that is not known.
        retry_after: Option<Duration>,
    },
    /// The candidate was sent an attempt of this call before, and the process may make no more retries for now.
    RetriesSpent {
        /// Its model, if that is known.
        model: Option<String>,
    },
    /// The candidate cannot be instructed to continue an interrupted answer.
    NotContinuable {
        /// Its model.
        model: String,
    },
    /// The store that counts our limits is unavailable, and no call passes uncounted.
    LimitsDown {
        /// The cause, without secrets.
        cause: String,
    },
    /// The budgets' store did not decide on the attempt's reservation, and the attempt was not sent.
    BudgetsDown {
        /// How long the attempt waited.
        waited: Duration,
    },
    /// A budget does not allow the attempt.
    #[cfg(feature = "cost")]
    BudgetExceeded(Box<crate::budget::Refusal>),
    /// A tag is required, and the call has none of that name.
    MissingTag {
        /// Its name.
        name: String,
    },
    /// A budget allows only a shorter answer, and the request cannot be shortened.
    #[cfg(feature = "cost")]
    CannotShorten {
        /// What the budget allows, in tokens of answer.
        tokens: u64,
    },
    /// A budget applies, and what the upstream runs for the request has no bound that could be reserved.
    #[cfg(feature = "cost")]
    UnboundedTool {
        /// The name of the tool or plugin.
        tool: String,
    },
    /// A budget carries the request only if its loop of tools is limited, and the request cannot say so.
    #[cfg(feature = "cost")]
    CannotLimitTools,
    /// A service between the cost layer and the auth layer sent one request twice.
    #[cfg(feature = "auth")]
    SentTwice,
    /// A budget applies, and the price of the candidate is not known.
    #[cfg(feature = "cost")]
    UnknownPrice {
        /// Its model.
        model: String,
        /// Whether it routes to other models, so that the price cannot be known.
        varies: bool,
    },
    /// A coalesced identical request failed.
    CoalescedFailure {
        /// What went wrong.
        kind: FailureKind,
        /// The HTTP status, if there was one.
        status: Option<u16>,
        /// The wait that the upstream asked for.
        retry_after: Option<Duration>,
        /// What it said, in a few words.
        summary: String,
    },
    /// The request allows only cached responses, and none is cached.
    CacheMiss,
    /// The reader of a coalesced response was so slow that the part it has not read was discarded.
    Lagged {
        /// How many bytes are held for readers that are behind.
        limit: usize,
    },
    /// What was sent as an idempotency key is none.
    #[cfg(feature = "cache")]
    BadIdempotencyKey {
        /// Why not.
        problem: super::BadIdempotencyKey,
    },
    /// The call has an idempotency key, and must not be stored.
    IdempotencyNoStore,
    /// Another request has the idempotency key of this one.
    IdempotencyMismatch,
    /// A call with the same idempotency key is in flight, and this one does not wait for it.
    IdempotencyInFlight,
    /// The answer to the first call with this idempotency key was too large to keep.
    IdempotencyTooLarge,
    /// The store of idempotency keys is unavailable, and the call might be made twice.
    IdempotencyStoreDown {
        /// The cause, without secrets.
        cause: String,
    },
    /// The caller's deadline header cannot be read.
    BadDeadline {
        /// The header's name.
        header: String,
    },
    /// A layer of another crate failed with an error of its own type.
    Foreign {
        /// What went wrong.
        kind: FailureKind,
        /// The error, in its own words.
        message: String,
    },
}

impl std::error::Error for LayerError {}

impl From<CapSpent> for LayerError {
    fn from(CapSpent(cap): CapSpent) -> Self {
        Self::AttemptsSpent { cap }
    }
}

/// What your error type takes over: see [`Failure`](super::Failure).
impl LayerError {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Elapsed { phase, .. } => FailureKind::Timeout(*phase),
            Self::EmptyResponse => FailureKind::EmptyResponse,
            Self::Nonconformant(_) => FailureKind::Nonconformant,
            Self::NoCandidate { reasons } if reasons.is_empty() => FailureKind::BadRequest,
            Self::BadModel { .. } => FailureKind::BadRequest,
            Self::NoCandidate { .. } => FailureKind::NoEndpoint,
            Self::PromptTooLong { .. } => FailureKind::ContextLengthExceeded,
            Self::NoKey {
                retry_after: Some(_), ..
            } => FailureKind::RateLimited,
            Self::NoKey { .. } => FailureKind::Auth,
            Self::RateLimited { .. } => FailureKind::RateLimited,
            Self::LimitsDown { .. } | Self::BudgetsDown { .. } | Self::IdempotencyStoreDown { .. } => {
                FailureKind::StoreUnavailable
            }
            #[cfg(feature = "cache")]
            Self::BadIdempotencyKey { .. } => FailureKind::BadRequest,
            Self::IdempotencyNoStore
            | Self::IdempotencyMismatch
            | Self::IdempotencyInFlight
            | Self::IdempotencyTooLarge => FailureKind::BadRequest,
            Self::CircuitOpen { .. } => FailureKind::CircuitOpen,
            Self::Paused { kind, .. } | Self::FinishReason { kind, .. } => *kind,
            Self::ConcurrencyLimited { .. } | Self::RetriesSpent { .. } | Self::AttemptsSpent { .. } => {
                FailureKind::ConcurrencyLimited
            }
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) if refusal.is_store_down() => FailureKind::StoreUnavailable,
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(_) | Self::CannotShorten { .. } | Self::CannotLimitTools => {
                FailureKind::BudgetExceeded
            }
            #[cfg(feature = "auth")]
            Self::SentTwice => FailureKind::Internal,
            // The next candidate may have a price.
            #[cfg(feature = "cost")]
            Self::UnknownPrice { .. } => FailureKind::NoEndpoint,
            Self::CoalescedFailure { kind, .. } | Self::Foreign { kind, .. } => *kind,
            Self::CacheMiss | Self::NotContinuable { .. } => FailureKind::NoEndpoint,
            // The reader caused it, not the upstream.
            Self::Lagged { .. } => FailureKind::Cancelled,
            #[cfg(feature = "cost")]
            Self::UnboundedTool { .. } => FailureKind::BadRequest,
            Self::BadDeadline { .. } | Self::MissingTag { .. } => FailureKind::BadRequest,
        }
    }

    /// The HTTP status: that of an upstream, or what the draft of idempotency keys has for them.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::CoalescedFailure { status, .. } => *status,
            Self::IdempotencyMismatch => Some(422),
            Self::IdempotencyInFlight | Self::IdempotencyTooLarge => Some(409),
            _ => None,
        }
    }

    /// When to try again, as far as that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoKey { retry_after, .. }
            | Self::CircuitOpen { retry_after, .. }
            | Self::CoalescedFailure { retry_after, .. } => *retry_after,
            Self::RateLimited { retry_after, .. } | Self::ConcurrencyLimited { retry_after, .. } => {
                retry_after.or(Some(SOON))
            }
            Self::RetriesSpent { .. } | Self::IdempotencyInFlight => Some(SOON),
            Self::LimitsDown { .. } | Self::BudgetsDown { .. } | Self::IdempotencyStoreDown { .. } => Some(STORE_PROBE),
            Self::Paused { retry_after, .. } => Some(*retry_after),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) if refusal.is_store_down() => Some(STORE_PROBE),
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.retry_after(),
            _ => None,
        }
    }

    /// The longest answer, in tokens, that a budget could carry instead, if that is worth asking for.
    #[must_use]
    pub fn affordable_tokens(&self) -> Option<u64> {
        match self {
            #[cfg(feature = "cost")]
            Self::BudgetExceeded(refusal) => refusal.affordable_tokens,
            _ => None,
        }
    }

    /// The text of an answer that was received whole and rejected; the caller paid for it.
    #[must_use]
    pub fn answer_text(&self) -> Option<&str> {
        match self {
            Self::Nonconformant(nonconformity) => Some(nonconformity.text().as_str()),
            _ => None,
        }
    }

    /// A word that a client can switch on, if the kind alone does not say enough.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::IdempotencyMismatch => Some("idempotency_key_reused"),
            Self::IdempotencyInFlight => Some("idempotency_key_in_flight"),
            Self::IdempotencyTooLarge => Some("idempotency_answer_too_large"),
            _ => None,
        }
    }

    /// A few words for the attempt log.
    #[must_use]
    pub fn summary(&self) -> String {
        self.to_string()
    }

    /// Whether it concerns this caller alone.
    #[must_use]
    pub fn is_personal(&self) -> bool {
        match self {
            // A limit of one's own.
            Self::RateLimited { .. } | Self::BadDeadline { .. } | Self::CacheMiss | Self::AttemptsSpent { .. } => true,
            _ => self.kind().is_personal(),
        }
    }
}
