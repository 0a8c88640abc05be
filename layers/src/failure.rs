//! What a layer knows of an error, and what follows from it.
//!
//! Two questions, not one: may the *same* call be repeated, and may *another candidate* answer instead? A layer asks
//! [`FailureKind::advice`]; it never looks at a status code or a message.

use std::{fmt, time::Duration};

use crate::{AttemptLog, LayerError};

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// A streamed attempt showed no content in time.
    FirstToken,
    /// A plain (not streamed) attempt did not give its whole answer in time.
    Answer,
    /// Nothing at all came for too long, after the answer had begun.
    Idle,
    /// The answer came slower than the floor of tokens per second.
    Pace,
    /// The caller's own deadline: queueing, every attempt, and the last byte of the stream.
    Total,
}

impl Phase {
    /// The name used in logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token",
            Self::Answer => "answer",
            Self::Idle => "idle",
            Self::Pace => "pace",
            Self::Total => "total",
        }
    }
}

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
    Throttled,
    /// A quota that does not come back soon: the free-tier day, the key's cap, a workspace budget.
    QuotaGone,
    /// The upstream says that it is overloaded.
    Overloaded,
    /// Our own circuit breaker lets nothing through to the candidate.
    CircuitOpen,
    /// As many attempts are under way at the candidate as it bears, and the queue is full or too slow.
    Saturated,
    /// The upstream failed in another way (5xx, or it rejected the router's own credentials).
    Upstream,
    /// A success without content.
    Empty,
    /// A success that cannot be read: HTML, broken JSON, white space only.
    Malformed,
    /// No endpoint serves this model under these constraints, or the model is gone.
    Unavailable,
    /// The prompt does not fit the model's context.
    TooLong,
    /// Moderation or content policy.
    Refused,
    /// The balance or a budget cannot carry the call at this size.
    Unaffordable,
    /// Our own key was rejected, or there is none.
    Auth,
    /// The request itself is wrong.
    BadRequest,
    /// The caller left.
    Cancelled,
    /// A bug of ours.
    Internal,
}

/// May the same candidate be tried again?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAdvice {
    /// It would fail the same way.
    Never,
    /// Yes, after a back-off or the upstream's own hint.
    Backoff,
    /// Only with another key of the pool.
    OtherKey,
    /// Only with a smaller `max_tokens`.
    FewerTokens,
    /// Only where the caller opted in and nobody else could answer.
    IfAlone,
}

/// May another candidate answer instead?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackAdvice {
    /// Every candidate would fail the same way.
    Never,
    /// Any next candidate.
    Any,
    /// Only one that is paid from another pool (see [`Scope`]).
    OtherPool,
    /// Only one with a larger context.
    LargerContext,
    /// Only a cheaper one.
    Cheaper,
    /// Only one at another upstream: the key of this one is no good.
    OtherUpstream,
    /// Any, where the route allows moving on after a refusal.
    IfRouteAllows,
}

/// What a failure says of the upstream's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing: the caller, its budget or its request caused it.
    Unharmed,
    /// Pause until the hint; the upstream is well.
    Pauses,
    /// Counts against the upstream.
    Hurts,
    /// Counts against the key, not the model.
    HurtsKey,
}

/// What follows from a failure: see [`FailureKind::advice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// May the same call be repeated?
    pub retry: RetryAdvice,
    /// May another candidate answer instead?
    pub fall_back: FallbackAdvice,
    /// May a degraded answer stand in when all else has failed?
    pub degrade: bool,
    /// What it says of the upstream's health.
    pub health: Health,
}

impl FailureKind {
    /// The default table of what follows from each kind.
    #[must_use]
    pub const fn advice(self) -> Advice {
        use FallbackAdvice as F;
        use Health as H;
        use RetryAdvice as R;
        let (retry, fall_back, degrade, health) = match self {
            Self::Connect | Self::Reset | Self::Overloaded | Self::Upstream | Self::Empty | Self::Malformed => {
                (R::Backoff, F::Any, true, H::Hurts)
            }
            // A silent upstream would be silent again.
            Self::Timeout(Phase::FirstToken | Phase::Answer) => (R::IfAlone, F::Any, true, H::Hurts),
            // A part was shown already: only a resume may go on.
            Self::Timeout(Phase::Idle | Phase::Pace) | Self::Truncated => (R::Never, F::Never, false, H::Hurts),
            Self::Timeout(Phase::Total) => (R::Never, F::Never, true, H::Unharmed),
            Self::Throttled => (R::Backoff, F::Any, true, H::Pauses),
            Self::QuotaGone => (R::Never, F::OtherPool, true, H::Unharmed),
            // Nothing was asked, so nothing is learnt.
            Self::Unavailable | Self::CircuitOpen | Self::Saturated => (R::Never, F::Any, true, H::Unharmed),
            Self::TooLong => (R::Never, F::LargerContext, true, H::Unharmed),
            Self::Refused => (R::Never, F::IfRouteAllows, false, H::Unharmed),
            Self::Unaffordable => (R::FewerTokens, F::Cheaper, true, H::Unharmed),
            Self::Auth => (R::OtherKey, F::OtherUpstream, false, H::HurtsKey),
            Self::BadRequest | Self::Cancelled | Self::Internal => (R::Never, F::Never, false, H::Unharmed),
        };
        Advice {
            retry,
            fall_back,
            degrade,
            health,
        }
    }

    /// Whether it comes of the caller's own deadline, budget, key or leaving, so that it says nothing to another caller who asks the
    /// same.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        matches!(
            self,
            Self::Timeout(Phase::Total) | Self::Cancelled | Self::Unaffordable | Self::Auth | Self::Internal
        )
    }

    /// The name used in logs, metrics and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::Timeout(Phase::FirstToken) => "timeout_first_token",
            Self::Timeout(Phase::Answer) => "timeout_answer",
            Self::Timeout(Phase::Idle) => "timeout_idle",
            Self::Timeout(Phase::Pace) => "timeout_pace",
            Self::Timeout(Phase::Total) => "timeout_total",
            Self::Truncated => "truncated",
            Self::Throttled => "throttled",
            Self::QuotaGone => "quota_gone",
            Self::Overloaded => "overloaded",
            Self::CircuitOpen => "circuit_open",
            Self::Saturated => "saturated",
            Self::Upstream => "upstream",
            Self::Empty => "empty",
            Self::Malformed => "malformed",
            Self::Unavailable => "unavailable",
            Self::TooLong => "too_long",
            Self::Refused => "refused",
            Self::Unaffordable => "unaffordable",
            Self::Auth => "auth",
            Self::BadRequest => "bad_request",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl FailureKind {
    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        const ALL: [FailureKind; 24] = [
            FailureKind::Connect,
            FailureKind::Reset,
            FailureKind::Timeout(Phase::FirstToken),
            FailureKind::Timeout(Phase::Answer),
            FailureKind::Timeout(Phase::Idle),
            FailureKind::Timeout(Phase::Pace),
            FailureKind::Timeout(Phase::Total),
            FailureKind::Truncated,
            FailureKind::Throttled,
            FailureKind::QuotaGone,
            FailureKind::Overloaded,
            FailureKind::CircuitOpen,
            FailureKind::Saturated,
            FailureKind::Upstream,
            FailureKind::Empty,
            FailureKind::Malformed,
            FailureKind::Unavailable,
            FailureKind::TooLong,
            FailureKind::Refused,
            FailureKind::Unaffordable,
            FailureKind::Auth,
            FailureKind::BadRequest,
            FailureKind::Cancelled,
            FailureKind::Internal,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// This model at this upstream.
    #[default]
    Candidate,
    /// Everything paid from the same pool ([`Candidate::pool`](crate::Candidate::pool)).
    Pool,
    /// Everything that uses this upstream's key.
    Upstream,
}

/// The only thing a layer knows about an error.
///
/// Implement it for your service's error type, and `From<LayerError>` beside it, so that layers can add their own
/// failures without boxing or nesting yours.
pub trait Failure: Sized {
    /// What went wrong.
    fn kind(&self) -> FailureKind;

    /// The HTTP status, where there was one.
    fn status(&self) -> Option<u16> {
        None
    }

    /// How long the upstream asked to wait, already clamped.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// The `max_tokens` that the balance could carry, where the upstream said so.
    fn affordable_tokens(&self) -> Option<u64> {
        None
    }

    /// How far the failure reaches.
    fn scope(&self) -> Scope {
        Scope::Candidate
    }

    /// A few words for the attempt log, e.g. `overloaded (Anthropic)`. Never a key, a prompt or an answer.
    fn summary(&self) -> String {
        self.kind().to_string()
    }

    /// Whether another key of the pool could still be used (see [`set_other_key`](Self::set_other_key)).
    fn has_other_key(&self) -> bool {
        false
    }

    /// The auth layer tells that the key which failed is out, and that another one is there.
    fn set_other_key(&mut self, _other_key: bool) {}

    /// Whether a layer inside has given up on this call, so that none outside multiplies attempts.
    fn is_exhausted(&self) -> bool {
        false
    }

    /// Marks the error as given up on.
    fn set_exhausted(&mut self) {}

    /// Whether it concerns this caller alone: then somebody else who waits for the same answer asks anew.
    fn is_personal(&self) -> bool {
        self.kind().is_personal()
    }

    /// The same failure for another caller, who waited for the same answer. By default it keeps kind, status, hint and summary.
    #[must_use]
    fn for_another(&self) -> Self
    where
        Self: From<LayerError>,
    {
        LayerError::OfAnother {
            kind: self.kind(),
            status: self.status(),
            retry_after: self.retry_after(),
            summary: self.summary(),
        }
        .into()
    }

    /// Keeps what was tried. Called once, by the layer that opened the call.
    fn attach(&mut self, _attempts: AttemptLog) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_caused_never_hurts_health() {
        for kind in [
            FailureKind::BadRequest,
            FailureKind::Cancelled,
            FailureKind::Timeout(Phase::Total),
            FailureKind::Unaffordable,
            FailureKind::TooLong,
            FailureKind::Refused,
            FailureKind::QuotaGone,
        ] {
            assert_eq!(kind.advice().health, Health::Unharmed, "{kind}");
        }
    }

    #[test]
    fn nothing_moves_once_a_part_was_shown() {
        for kind in [
            FailureKind::Truncated,
            FailureKind::Timeout(Phase::Idle),
            FailureKind::Timeout(Phase::Pace),
        ] {
            assert_eq!(kind.advice().retry, RetryAdvice::Never, "{kind}");
            assert_eq!(kind.advice().fall_back, FallbackAdvice::Never, "{kind}");
        }
    }
}
