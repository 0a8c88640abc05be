//! Retries, hedges, resumes, and the slowest stream.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
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

    /// What contradicts the rest: the key, and the fix. The default of `base` contradicts nothing.
    pub(super) fn wrong(self) -> Option<(&'static str, &'static str)> {
        (self.base > self.max && self.base != Self::default().base).then_some((
            "backoff.base",
            "above `backoff.max`, which cuts it: write a shorter time, or a longer `backoff.max`",
        ))
    }
}

/// The process-wide ratio of retries to calls: see [`RetryBudget`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct RetryBudgetSettings {
    /// The share of calls that may be retried, from 0 to 1.
    pub ratio: f64,
    /// Further retries a second that are allowed: 0 or more.
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

impl RetryBudgetSettings {
    /// What is out of range: the key, and what is allowed.
    pub(super) fn wrong(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let ratio = (!(0.0..=1.0).contains(&self.ratio)).then_some((
            "retry_budget.ratio",
            "expected from 0 to 1, such as 0.2 for one retry in five calls; with 0 only `retry_budget.floor` allows retries",
        ));
        let floor = (!self.floor.is_finite() || self.floor < 0.0).then_some((
            "retry_budget.floor",
            "expected 0 or more, and finite: the further retries a second, such as 1",
        ));
        ratio.into_iter().chain(floor)
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
    /// The share of calls that may be hedged: more than 0, and at most 1.
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

    /// What is out of range: the key, and what is allowed.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let is_share = self.ratio > 0.0 && self.ratio <= 1.0;
        (!is_share).then_some((
            "hedge.ratio",
            "expected more than 0 and at most 1, such as 0.1 for one hedge in ten calls; to hedge nothing, leave `hedge` out",
        ))
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
    /// How often one answer may be resumed: 1 or more.
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

    /// What is out of range: the key, and what is allowed.
    pub(super) fn wrong(self) -> Option<(&'static str, &'static str)> {
        (self.times == 0).then_some((
            "resume.times",
            "expected 1 or more, such as 2; to resume nothing, leave `resume` out",
        ))
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
        MinThroughput::new(self.tokens, self.window.0)
    }
}
