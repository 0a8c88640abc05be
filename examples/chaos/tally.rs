//! What became of the calls.

use std::time::Duration;

use crate::storm::{ALL_DOWN, SECONDS};

/// One call of one side.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) first_token: Option<Duration>,
    /// What went wrong; nothing where the answer is whole.
    pub(crate) failed: Option<&'static str>,
}

/// All calls of one side that have ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: Vec<Call>,
}

impl Call {
    /// Whether some model could answer all the while, from so long after the outage of all.
    fn could_be_answered(&self, settled: Duration) -> bool {
        let [start, end] = [ALL_DOWN.start, ALL_DOWN.end].map(Duration::from_secs);
        self.ended < start || self.began >= end + settled
    }
}

impl Tally {
    pub(crate) fn note(&mut self, call: Call) {
        self.calls.push(call);
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn answered(&self) -> usize {
        self.calls.iter().filter(|call| call.failed.is_none()).count()
    }

    /// Of the calls that could be answered, from so long after the outage of all: how many were, in percent.
    pub(crate) fn answered_of_possible(&self, settled: Duration) -> f64 {
        let all = self.calls.iter();
        let possible: Vec<_> = all.filter(|call| call.could_be_answered(settled)).collect();
        let answered = possible.iter().filter(|call| call.failed.is_none()).count();
        100.0 * share(answered, possible.len())
    }

    /// The time that so many in a hundred first tokens came within.
    pub(crate) fn first_token(&self, percent: usize) -> Duration {
        let mut times: Vec<_> = self.calls.iter().filter_map(|call| call.first_token).collect();
        times.sort_unstable();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or_default()
    }

    /// What went wrong, and how often: the most frequent first.
    pub(crate) fn failures(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for kind in self.calls.iter().filter_map(|call| call.failed) {
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// By the second in which they began: how many were answered, and how many were not.
    pub(crate) fn by_second(&self) -> Vec<(u64, usize, usize)> {
        let of = |second: u64| self.calls.iter().filter(move |call| call.began.as_secs() == second);
        let seconds = 0..SECONDS;
        seconds
            .map(|second| {
                let all = of(second).count();
                let answered = of(second).filter(|call| call.failed.is_none()).count();
                (second, answered, all - answered)
            })
            .collect()
    }
}

pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}
