//! Counts of calls by minute, for a day: they stay exact, whatever number of calls is kept.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;
use tower_openrouter::{UsdAmount, layers::UtcTime};

use super::{CallOutcome, CallRecord};

const MINUTE: u64 = 60_000;
/// How many minutes are kept.
const MOST_MINUTES: usize = 24 * 60;

/// What became of the calls of some time.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Totals {
    /// Whole answers.
    pub answered: u64,
    /// Errors that an upstream or the gateway caused.
    pub failed: u64,
    /// Answers that were interrupted.
    pub interrupted: u64,
    /// Errors that the client caused.
    pub refused: u64,
    /// Calls whose client left.
    pub left: u64,
    /// Of the answered ones, those that a later candidate answered.
    pub rescued: u64,
    /// Of the answered ones, those with a degraded answer.
    pub degraded: u64,
    /// Of the answered ones, those from the cache.
    pub cached: u64,
    /// What they cost.
    #[serde(skip)]
    pub cost: UsdAmount,
    /// What the price list says of those that were billed, and what their bills were.
    #[serde(skip)]
    pub estimate_and_bill: (UsdAmount, UsdAmount),
    /// Times to the first token of streams.
    #[serde(skip)]
    pub first_token: Times,
}

impl Totals {
    /// All calls that have ended.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.answered + self.failed + self.interrupted + self.refused + self.left
    }

    /// The share of whole answers among the calls that neither the client ended nor its own request spoilt, in thousandths, rounded down;
    /// `None` if there are none.
    #[must_use]
    pub fn success_per_mille(&self) -> Option<u64> {
        let all = self.answered + self.failed + self.interrupted;
        (self.answered * 1000).checked_div(all)
    }

    fn add(&mut self, call: &CallRecord) {
        let count = match call.outcome {
            CallOutcome::Answered => &mut self.answered,
            CallOutcome::Failed => &mut self.failed,
            CallOutcome::Interrupted => &mut self.interrupted,
            CallOutcome::Refused => &mut self.refused,
            CallOutcome::Left => &mut self.left,
            CallOutcome::Running => return,
        };
        *count += 1;
        if call.outcome == CallOutcome::Answered {
            self.rescued += u64::from(call.rescued);
            self.degraded += u64::from(call.degraded.is_some());
            self.cached += u64::from(call.cached.is_some());
        }
        if let Some(first) = call.first_token_ms.filter(|_| call.streamed && call.cached.is_none()) {
            self.first_token.add(first);
        }
        self.money(call);
    }

    fn money(&mut self, call: &CallRecord) {
        self.cost = self.cost.saturating_add(call.cost.unwrap_or(UsdAmount::ZERO));
        let ((estimates, bills), (estimate, bill)) = (self.estimate_and_bill, estimate_and_bill(call));
        self.estimate_and_bill = (estimates.saturating_add(estimate), bills.saturating_add(bill));
    }

    /// The money of a call that was counted is another one now.
    fn change_money(&mut self, before: &CallRecord, after: &CallRecord) {
        let ((estimate, bill), (estimates, bills)) = (estimate_and_bill(before), self.estimate_and_bill);
        self.estimate_and_bill = (estimates.saturating_sub(estimate), bills.saturating_sub(bill));
        self.cost = self.cost.saturating_sub(before.cost.unwrap_or(UsdAmount::ZERO));
        self.money(after);
    }

    fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.interrupted += other.interrupted;
        self.refused += other.refused;
        self.left += other.left;
        self.rescued += other.rescued;
        self.degraded += other.degraded;
        self.cached += other.cached;
        self.cost = self.cost.saturating_add(other.cost);
        let (estimate, bill) = other.estimate_and_bill;
        self.estimate_and_bill.0 = self.estimate_and_bill.0.saturating_add(estimate);
        self.estimate_and_bill.1 = self.estimate_and_bill.1.saturating_add(bill);
        self.first_token.merge(&other.first_token);
    }
}

/// What the price list says of a call and what its bill was, if the whole call is billed.
fn estimate_and_bill(call: &CallRecord) -> (UsdAmount, UsdAmount) {
    match (call.estimate, call.cost) {
        (Some(estimate), Some(bill)) if !call.cost_is_estimate => (estimate, bill),
        _ => (UsdAmount::ZERO, UsdAmount::ZERO),
    }
}

/// Times in milliseconds, counted in steps of an eighth of their power of two: a quantile is exact to 6 %.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<u32>);

/// The longest time that has a step of its own, in milliseconds.
const LONGEST: u64 = 1 << 20;

impl Times {
    fn add(&mut self, millis: u64) {
        let step = step(millis.min(LONGEST));
        if self.0.len() <= step {
            self.0.resize(step + 1, 0);
        }
        if let Some(count) = self.0.get_mut(step) {
            *count = count.saturating_add(1);
        }
    }

    fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, more) in self.0.iter_mut().zip(&other.0) {
            *own = own.saturating_add(*more);
        }
    }

    /// The time within which so many percent lie, in milliseconds; `None` without any.
    #[must_use]
    pub fn quantile(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.0.iter().copied().map(u64::from).sum();
        let mut rest = (all * percent).div_ceil(100).max(1);
        for (step, count) in self.0.iter().enumerate() {
            let count = u64::from(*count);
            if count >= rest {
                return Some(u64::midpoint(lowest(step), lowest(step + 1).saturating_sub(1)));
            }
            rest -= count;
        }
        None
    }
}

fn step(millis: u64) -> usize {
    let step = match millis.checked_ilog2() {
        Some(power) if power >= 3 => u64::from(power - 2) * 8 + ((millis >> (power - 3)) & 7),
        _ => millis,
    };
    usize::try_from(step).unwrap_or(usize::MAX)
}

const fn lowest(step: usize) -> u64 {
    let (octave, eighth) = (step / 8, (step % 8) as u64);
    if octave == 0 {
        eighth
    } else {
        (8 + eighth) << (octave - 1)
    }
}

/// The totals of each minute of the last day.
#[derive(Debug, Default)]
pub(super) struct Minutes(VecDeque<(u64, Totals)>);

impl Minutes {
    pub(super) fn add(&mut self, call: &CallRecord, now: UtcTime) {
        let minute = now.millis() / MINUTE;
        // A clock that was put back counts into the newest minute.
        if self.0.back().is_none_or(|(last, _)| *last < minute) {
            self.0.push_back((minute, Totals::default()));
            while self.0.len() > MOST_MINUTES {
                self.0.pop_front();
            }
        }
        if let Some((_, totals)) = self.0.back_mut() {
            totals.add(call);
        }
    }

    /// A call that was counted costs more than was known then, or less.
    pub(super) fn add_money(&mut self, before: &CallRecord, after: &CallRecord) {
        let ended = after.at.after(Duration::from_millis(after.duration_ms));
        if let Some(totals) = self.at(ended) {
            totals.change_money(before, after);
        }
    }

    /// The same of a call that ended then and is not kept.
    pub(super) fn add_cost(&mut self, ended: UtcTime, by: UsdAmount) {
        if let Some(totals) = self.at(ended) {
            totals.cost = totals.cost.saturating_add(by);
        }
    }

    /// The minute in which a call was counted that ended then.
    fn at(&mut self, ended: UtcTime) -> Option<&mut Totals> {
        let minute = ended.millis() / MINUTE;
        let newer = self.0.partition_point(|(known, _)| *known <= minute);
        self.0.get_mut(newer.saturating_sub(1)).map(|(_, totals)| totals)
    }

    pub(super) fn since(&self, now: UtcTime, window: Duration) -> Totals {
        let first = now.before(window).millis() / MINUTE;
        let mut sum = Totals::default();
        for (_, totals) in self.0.iter().rev().take_while(|(minute, _)| *minute > first) {
            sum.merge(totals);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_near_the_time() {
        let mut times = Times::default();
        assert_eq!(times.quantile(50), None);
        for millis in 1..=1000 {
            times.add(millis);
        }
        for (percent, exact) in [(50, 500_u64), (95, 950), (100, 1000)] {
            let found = times.quantile(percent).unwrap();
            assert!(found.abs_diff(exact) * 100 <= exact * 7, "{percent}: {found}");
        }
        times.add(u64::MAX);
        assert!(times.0.len() < 160, "bounded");
        for millis in [0, 1, 7, 8, 15, 16, 1000, LONGEST] {
            let step = step(millis);
            assert!(lowest(step) <= millis && millis < lowest(step + 1), "{millis}");
        }
    }
}
