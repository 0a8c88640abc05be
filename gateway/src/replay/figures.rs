//! The figures of a recording or a replay: how many were answered, when, at what cost.

use std::collections::BTreeMap;

use serde::Serialize;
use tower_openrouter::{
    UsdAmount,
    recording::{RecordedCall, RecordedOutcome, ReplayedCall},
};

use crate::calls::dollars;

/// What a set of calls came to. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// Calls in all.
    pub calls: u64,
    /// Calls with their whole answer.
    pub answered: u64,
    /// Calls without one.
    pub failed: u64,
    /// Calls whose callers left.
    pub left: u64,
    /// Of those whose callers stayed, the part that was answered, in per cent.
    pub answered_percent: f64,
    /// The median time to the first content.
    pub first_p50_ms: Option<u64>,
    /// 99 of 100 had their first content by then.
    pub first_p99_ms: Option<u64>,
    /// The median time to the whole answer.
    pub whole_p50_ms: Option<u64>,
    /// 99 of 100 answers were whole by then.
    pub whole_p99_ms: Option<u64>,
    /// Attempts for each call.
    pub attempts_per_call: f64,
    /// What the answers cost, as far as the upstreams reported it, in US dollars.
    #[serde(serialize_with = "dollars")]
    pub cost: Option<UsdAmount>,
    /// How many calls each model answered.
    pub answered_by: BTreeMap<String, u64>,
}

/// What counts of one call.
pub(super) struct Counted<'a> {
    pub(super) outcome: RecordedOutcome,
    pub(super) first_ms: Option<u64>,
    pub(super) whole_ms: u64,
    pub(super) attempts: u64,
    pub(super) cost: Option<UsdAmount>,
    pub(super) model: Option<&'a str>,
}

impl<'a> From<&'a RecordedCall> for Counted<'a> {
    fn from(call: &'a RecordedCall) -> Self {
        let costs = call.attempts.iter().filter_map(|attempt| attempt.cost);
        Self {
            outcome: call.outcome,
            first_ms: call.first_ms,
            whole_ms: call.whole_ms,
            attempts: call.attempts.len() as u64,
            cost: costs.reduce(UsdAmount::saturating_add),
            model: call.model.as_deref(),
        }
    }
}

impl<'a> From<&'a ReplayedCall> for Counted<'a> {
    fn from(call: &'a ReplayedCall) -> Self {
        Self {
            outcome: call.outcome,
            first_ms: call.first_ms,
            whole_ms: call.whole_ms,
            attempts: call.attempts,
            cost: call.cost,
            model: call.model.as_deref(),
        }
    }
}

impl Figures {
    pub(super) fn of<'a>(calls: impl Iterator<Item = Counted<'a>>) -> Self {
        let (mut first, mut whole) = (Vec::new(), Vec::new());
        let (mut answered, mut failed, mut left, mut attempts) = (0, 0, 0, 0_u64);
        let mut cost: Option<UsdAmount> = None;
        let mut answered_by: BTreeMap<String, u64> = BTreeMap::new();
        for call in calls {
            first.extend(call.first_ms);
            attempts = attempts.saturating_add(call.attempts);
            cost = match (cost, call.cost) {
                (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                (sum, more) => sum.or(more),
            };
            match call.outcome {
                RecordedOutcome::Answered => {
                    answered += 1;
                    whole.push(call.whole_ms);
                    let model = call.model.unwrap_or("(not named)");
                    *answered_by.entry(model.to_owned()).or_default() += 1;
                }
                RecordedOutcome::Left => left += 1,
                _ => failed += 1,
            }
        }
        first.sort_unstable();
        whole.sort_unstable();
        let calls = answered + failed + left;
        Self {
            calls,
            answered,
            failed,
            left,
            answered_percent: ratio(answered * 100, answered + failed),
            first_p50_ms: percentile(&first, 50),
            first_p99_ms: percentile(&first, 99),
            whole_p50_ms: percentile(&whole, 50),
            whole_p99_ms: percentile(&whole, 99),
            attempts_per_call: ratio(attempts, calls),
            cost,
            answered_by,
        }
    }
}

/// Rounded to hundredths; zero of nothing.
fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are far smaller")]
    let exact = part as f64 / of as f64;
    (exact * 100.0).round() / 100.0
}

/// The smallest value that so many of 100 do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let hundred: Vec<_> = (1..=100).collect();
        assert_eq!(
            (percentile(&hundred, 50), percentile(&hundred, 99)),
            (Some(50), Some(99))
        );
        assert_eq!(
            (percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)),
            (Some(7), Some(7), None)
        );
        assert_eq!((ratio(1, 3), ratio(5, 0)), (0.33, 0.0));
    }
}
