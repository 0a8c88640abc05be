//! The circuit breaker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::circuit_breaker::CircuitPolicy;

use super::Time;

/// When a candidate that fails too often is skipped, and how it is probed: see [`CircuitPolicy`].
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
