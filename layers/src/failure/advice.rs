//! What layers do after a failure, and how far it reaches.

/// May the same candidate be tried again?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAdvice {
    /// It would fail the same way.
    Never,
    /// Yes, after a back-off or the upstream's own hint.
    Backoff,
    /// Once, after a back-off or the upstream's own hint.
    Once,
    /// Only with another key of the pool.
    OtherKey,
    /// Only with a smaller `max_tokens`.
    FewerTokens,
    /// Only if the caller opted in and no other candidate could answer.
    IfAlone,
}

/// May another candidate answer instead?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FallbackAdvice {
    /// Every candidate would fail the same way.
    Never,
    /// Any next candidate.
    Any,
    /// Only one that is paid from another pool (see [`FailureScope`]).
    OtherPool,
    /// Only one with a larger context.
    LargerContext,
    /// Only a cheaper one.
    Cheaper,
    /// Only one at another upstream: the key of this one is no good.
    OtherUpstream,
    /// Any, if the route allows fallback after a refusal.
    IfRouteAllows,
}

/// What a failure says of the upstream's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Nothing: the caller, its budget or its request caused it.
    Neutral,
    /// Pause until the hint; the upstream is healthy.
    Paused,
    /// Counts against the upstream.
    Unhealthy,
    /// Counts against the key, not the model.
    KeyUnhealthy,
}

/// What follows from a failure: see [`FailureKind::advice`](super::FailureKind::advice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
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

impl Advice {
    /// All four parts. For a failure that differs from its kind in one, change that field of [`FailureKind::advice`](super::FailureKind::advice).
    #[must_use]
    pub const fn new(retry: RetryAdvice, fall_back: FallbackAdvice, degrade: bool, health: Health) -> Self {
        Self {
            retry,
            fall_back,
            degrade,
            health,
        }
    }
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailureScope {
    /// This model at this upstream.
    #[default]
    Candidate,
    /// Everything paid from the same pool ([`Candidate::pool`](crate::Candidate::pool)).
    Pool,
    /// Everything that uses this upstream's key.
    Upstream,
}
