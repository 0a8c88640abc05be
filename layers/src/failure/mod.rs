//! The kinds of failure, and the advice that follows from each.
//!
//! Two questions, not one: may the *same* call be repeated, and may *another candidate* answer instead? A layer asks
//! [`FailureKind::advice`]; it never looks at a status code or a message.

mod advice;
mod billing;
mod phase;
mod status;

use std::{fmt, str::FromStr};

pub use advice::{Advice, FailureScope, FallbackAdvice, Health, RetryAdvice};
pub use phase::Phase;

use crate::UnknownName;

/// What went wrong, as far as policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// No connection: refused, unreachable, TLS or DNS failure.
    Connect,
    /// The connection broke before anything was shown to the caller.
    Reset,
    /// A clock ran out.
    Timeout(Phase),
    /// The stream broke after a part of the answer had been shown.
    Truncated,
    /// Too many requests, or too many in flight: the same call works later.
    RateLimited,
    /// A quota that does not come back soon: the free-tier day, the key's cap, a workspace budget.
    QuotaExhausted,
    /// The upstream says that it is overloaded.
    Overloaded,
    /// Our own circuit breaker lets nothing through to the candidate.
    CircuitOpen,
    /// The candidate is at its concurrency limit, and the queue is full or too slow.
    ConcurrencyLimited,
    /// The upstream failed in another way (5xx, or it rejected the router's own credentials).
    Upstream,
    /// A success without content.
    EmptyResponse,
    /// A success that cannot be read: HTML, broken JSON, white space only.
    Malformed,
    /// A whole answer that is not what its request asked for: other JSON than its schema, tool arguments that do not fit.
    Nonconformant,
    /// No endpoint serves this model under these constraints, or the model is gone.
    NoEndpoint,
    /// The prompt does not fit the model's context.
    ContextLengthExceeded,
    /// Moderation or content policy.
    ContentFiltered,
    /// The account's balance cannot carry the call at this size.
    InsufficientFunds,
    /// A budget of ours cannot carry the call.
    BudgetExceeded,
    /// The provider behind the router does not accept the request: an unknown parameter, an opaque 4xx. Another provider may.
    RejectedByProvider,
    /// The store that counts budgets or limits does not respond, and nothing passes uncounted.
    StoreUnavailable,
    /// Our own key was rejected, or there is none.
    Auth,
    /// The request itself is wrong.
    BadRequest,
    /// The caller left.
    Cancelled,
    /// A bug of ours.
    Internal,
}

impl FailureKind {
    /// All of them, with each phase of a timeout.
    pub const ALL: [Self; 28] = [
        Self::Connect,
        Self::Reset,
        Self::Timeout(Phase::FirstToken),
        Self::Timeout(Phase::Response),
        Self::Timeout(Phase::Idle),
        Self::Timeout(Phase::Throughput),
        Self::Timeout(Phase::Deadline),
        Self::Truncated,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::Overloaded,
        Self::CircuitOpen,
        Self::ConcurrencyLimited,
        Self::Upstream,
        Self::EmptyResponse,
        Self::Malformed,
        Self::Nonconformant,
        Self::NoEndpoint,
        Self::ContextLengthExceeded,
        Self::ContentFiltered,
        Self::InsufficientFunds,
        Self::BudgetExceeded,
        Self::RejectedByProvider,
        Self::StoreUnavailable,
        Self::Auth,
        Self::BadRequest,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The default table of what follows from each kind.
    #[must_use]
    pub const fn advice(self) -> Advice {
        use FallbackAdvice as F;
        use Health as H;
        use RetryAdvice as R;
        let (retry, fall_back, degrade, health) = match self {
            Self::Connect | Self::Reset | Self::Overloaded | Self::Upstream | Self::EmptyResponse | Self::Malformed => {
                (R::Backoff, F::Any, true, H::Unhealthy)
            }
            // A silent upstream would be silent again.
            Self::Timeout(Phase::FirstToken | Phase::Response) => (R::IfAlone, F::Any, true, H::Unhealthy),
            // A part was shown already: only a resume may continue.
            Self::Timeout(Phase::Idle | Phase::Throughput) | Self::Truncated => {
                (R::Never, F::Never, false, H::Unhealthy)
            }
            // The model answered: it may do better, or another one may.
            Self::Nonconformant => (R::Once, F::Any, true, H::Neutral),
            Self::Timeout(Phase::Deadline) => (R::Never, F::Never, true, H::Neutral),
            Self::RateLimited => (R::Backoff, F::Any, true, H::Paused),
            Self::QuotaExhausted => (R::Never, F::OtherPool, true, H::Neutral),
            // Nothing was sent, so nothing is learnt.
            Self::NoEndpoint | Self::CircuitOpen | Self::ConcurrencyLimited => (R::Never, F::Any, true, H::Neutral),
            Self::ContextLengthExceeded => (R::Never, F::LargerContext, true, H::Neutral),
            Self::ContentFiltered => (R::Never, F::IfRouteAllows, false, H::Neutral),
            Self::InsufficientFunds => (R::FewerTokens, F::Cheaper, true, H::Neutral),
            Self::BudgetExceeded => (R::Never, F::Cheaper, true, H::Neutral),
            Self::RejectedByProvider => (R::Never, F::Any, true, H::Neutral),
            Self::Auth => (R::OtherKey, F::OtherUpstream, false, H::KeyUnhealthy),
            Self::BadRequest | Self::Cancelled | Self::Internal | Self::StoreUnavailable => {
                (R::Never, F::Never, false, H::Neutral)
            }
        };
        Advice {
            retry,
            fall_back,
            degrade,
            health,
        }
    }

    /// Whether it comes from the caller's own deadline, budget, key or cancellation, so that it says nothing to another caller with the
    /// same request.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(
            self,
            Self::Timeout(Phase::Deadline)
                | Self::Cancelled
                | Self::InsufficientFunds
                | Self::BudgetExceeded
                | Self::Auth
                | Self::Internal
        )
    }

    /// The name used in logs, metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout(Phase::FirstToken) => "timeout_first_token",
            Self::Timeout(Phase::Response) => "timeout_response",
            Self::Timeout(Phase::Idle) => "timeout_idle",
            Self::Timeout(Phase::Throughput) => "timeout_throughput",
            Self::Timeout(Phase::Deadline) => "timeout_deadline",
            Self::Truncated => "truncated",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::ConcurrencyLimited => "concurrency_limited",
            Self::Upstream => "upstream",
            Self::EmptyResponse => "empty_response",
            Self::Malformed => "malformed",
            Self::Nonconformant => "nonconformant",
            Self::NoEndpoint => "no_endpoint",
            Self::ContextLengthExceeded => "context_length_exceeded",
            Self::ContentFiltered => "content_filtered",
            Self::InsufficientFunds => "insufficient_funds",
            Self::BudgetExceeded => "budget_exceeded",
            Self::RejectedByProvider => "rejected_by_provider",
            Self::StoreUnavailable => "store_unavailable",
            Self::Auth => "auth",
            Self::BadRequest => "bad_request",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl FromStr for FailureKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let kind = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        kind.ok_or_else(|| UnknownName::new("failure kind", name))
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_caused_never_hurts_health() {
        for kind in [
            FailureKind::BadRequest,
            FailureKind::Cancelled,
            FailureKind::Timeout(Phase::Deadline),
            FailureKind::InsufficientFunds,
            FailureKind::ContextLengthExceeded,
            FailureKind::ContentFiltered,
            FailureKind::QuotaExhausted,
            FailureKind::Nonconformant,
        ] {
            assert_eq!(kind.advice().health, Health::Neutral, "{kind}");
        }
    }

    #[test]
    fn nothing_moves_once_a_part_was_shown() {
        for kind in [
            FailureKind::Truncated,
            FailureKind::Timeout(Phase::Idle),
            FailureKind::Timeout(Phase::Throughput),
        ] {
            assert_eq!(kind.advice().retry, RetryAdvice::Never, "{kind}");
            assert_eq!(kind.advice().fall_back, FallbackAdvice::Never, "{kind}");
        }
    }
}
