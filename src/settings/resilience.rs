//! Retries, hedges, circuits, resumes, and the slowest stream.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
    circuit_breaker::CircuitPolicy,
    fallback::Hedge,
    resume::ResumeLayer,
    retry::{Exponential, RetryBudget},
    timeout::MinThroughput,
};

use super::{
    Time,
    text::{InvalidValue, written_as_text},
};

/// How long to wait for a retry if the upstream does not say: see [`Exponential`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct BackoffSettings {
    /// The first bound; each next one is twice as large. The wait is drawn evenly from nothing up to its bound.
    pub base: Time,
    /// The largest bound.
    pub max: Time,
}

impl Default for BackoffSettings {
    fn default() -> Self {
        let schedule = Exponential::default();
        Self {
            base: schedule.base().into(),
            max: schedule.max().into(),
        }
    }
}

impl BackoffSettings {
    pub(super) const fn schedule(self) -> Exponential {
        Exponential::new(self.base.0, self.max.0)
    }
}

/// The process-wide ratio of retries to calls: see [`RetryBudget`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RetryBudgetSettings {
    /// The share of calls that may be retried.
    pub ratio: f64,
    /// Further retries a second that are allowed.
    pub floor: f64,
}

impl Default for RetryBudgetSettings {
    fn default() -> Self {
        let budget = RetryBudget::default();
        Self {
            ratio: budget.ratio(),
            floor: budget.floor(),
        }
    }
}

/// When a candidate that fails too often is left alone, and how it is probed: see [`CircuitPolicy`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct CircuitBreakerSettings {
    /// How many of the last attempts count.
    pub window_calls: usize,
    /// For how long each of them counts.
    pub window_time: Time,
    /// The fewest attempts in the window before the ratio counts.
    pub min_calls: u32,
    /// The share of failures at which it opens.
    pub error_ratio: f64,
    /// Opens also if the answers of streamed attempts begin too slowly. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow: Option<SlowSettings>,
    /// How long it stays open at first; twice as long after each probe that fails.
    pub open_for: Time,
    /// How long it stays open at most.
    pub open_at_most: Time,
    /// How many probes may run at once.
    pub probes: u32,
    /// How many probes must succeed before it closes.
    pub probe_successes: u32,
    /// How long the return to full traffic takes once it has closed.
    pub return_over: Time,
    /// How many attempts may be in flight at an open circuit if the call has no other candidate left.
    pub last_resorts: u32,
}

/// Which beginnings are too slow for the circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SlowSettings {
    /// An answer that begins later than this is slow.
    pub after: Time,
    /// The share of slow answers at which the circuit opens.
    pub ratio: f64,
}

impl Default for CircuitBreakerSettings {
    fn default() -> Self {
        Self {
            window_calls: 100,
            window_time: Time::seconds(30),
            min_calls: 5,
            error_ratio: 0.5,
            slow: None,
            open_for: Time::seconds(5),
            open_at_most: Time::seconds(20),
            probes: 1,
            probe_successes: 2,
            return_over: Time::seconds(10),
            last_resorts: 50,
        }
    }
}

impl SlowSettings {
    /// Slow after this long, open at this share.
    pub fn new(after: impl Into<Time>, ratio: f64) -> Self {
        let after = after.into();
        Self { after, ratio }
    }
}

impl CircuitBreakerSettings {
    pub(super) const fn policy(&self) -> CircuitPolicy {
        let policy = CircuitPolicy::new()
            .window(self.window_calls, self.window_time.0)
            .min_calls(self.min_calls)
            .error_ratio(self.error_ratio)
            .open_for(self.open_for.0, self.open_at_most.0)
            .probes(self.probes, self.probe_successes)
            .return_over(self.return_over.0)
            .last_resorts(self.last_resorts);
        match self.slow {
            Some(slow) => policy.slow(slow.after.0, slow.ratio),
            None => policy,
        }
    }
}

/// Hedges a slow candidate: see [`Hedge`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct HedgeSettings {
    /// After how long without a first token the next candidate is tried in parallel: a time, or `p95` for the live 95th percentile of the
    /// candidate.
    pub after: HedgeDelay,
    /// The share of calls that may be hedged.
    pub ratio: f64,
}

impl Default for HedgeSettings {
    fn default() -> Self {
        Self {
            after: HedgeDelay::P95,
            ratio: 0.1,
        }
    }
}

impl HedgeSettings {
    pub(super) fn hedge(&self) -> Hedge {
        let hedge = match self.after {
            HedgeDelay::P95 => Hedge::p95(),
            HedgeDelay::After(time) => Hedge::after(time.0),
        };
        hedge.ratio(self.ratio)
    }
}

/// After how long a candidate is hedged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HedgeDelay {
    /// After the live 95th percentile of the candidate.
    P95,
    /// After this long.
    After(Time),
}

impl FromStr for HedgeDelay {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text.trim() == "p95" {
            return Ok(Self::P95);
        }
        text.parse()
            .map(Self::After)
            .map_err(|error: InvalidValue| InvalidValue::new(format!("{error}, or \"p95\"")))
    }
}

impl fmt::Display for HedgeDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P95 => f.write_str("p95"),
            Self::After(time) => time.fmt(f),
        }
    }
}

written_as_text!(HedgeDelay, "hedge-delay", ["p95", "800ms"]);

/// Resumes an interrupted stream: see [`ResumeLayer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ResumeSettings {
    /// How often one answer may be resumed.
    pub times: u32,
}

impl Default for ResumeSettings {
    fn default() -> Self {
        Self { times: 2 }
    }
}

impl ResumeSettings {
    pub(super) const fn layer(self) -> ResumeLayer {
        ResumeLayer::new().times(self.times)
    }
}

/// The slowest stream that is still worth waiting for: see [`MinThroughput`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MinThroughputSettings {
    /// Tokens that must come within each window.
    pub tokens: u32,
    /// The window: time spent waiting for the upstream.
    pub window: Time,
}

impl MinThroughputSettings {
    /// So many tokens within each window.
    pub fn new(tokens: u32, window: impl Into<Time>) -> Self {
        let window = window.into();
        Self { tokens, window }
    }

    pub(super) const fn floor(self) -> MinThroughput {
        MinThroughput {
            tokens: self.tokens,
            window: self.window.0,
        }
    }
}
