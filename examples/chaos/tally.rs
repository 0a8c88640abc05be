//! The outcomes of the calls.

use std::{collections::BTreeSet, time::Duration};

use tower_openrouter::layers::DegradedSource;

use crate::storm::{ALL_DOWN, SECONDS};

/// One call of one side.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The same number is the same call at the same time on both sides.
    pub(crate) number: u64,
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) first_token: Option<Duration>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer of a model of the chain.
    Full,
    /// A whole answer of a cheaper model, or a canned reply.
    Degraded(DegradedSource),
    /// The kind of the failure.
    Failed(&'static str),
}

/// All calls of one side that have ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: Vec<Call>,
}

impl Call {
    /// Whether at least one model was up during the whole call.
    fn could_be_answered(&self) -> bool {
        let [start, end] = [ALL_DOWN.start, ALL_DOWN.end].map(Duration::from_secs);
        self.ended < start || self.began >= end
    }

    fn is_of_a_model(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Full | Outcome::Degraded(DegradedSource::CheaperModel)
        )
    }
}

impl Tally {
    pub(crate) fn note(&mut self, call: Call) {
        self.calls.push(call);
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn count(&self, outcome: impl Fn(Outcome) -> bool) -> usize {
        self.calls.iter().filter(|call| outcome(call.outcome)).count()
    }

    /// Whole answers, degraded ones included.
    pub(crate) fn answered(&self) -> usize {
        self.count(|outcome| !matches!(outcome, Outcome::Failed(_)))
    }

    /// Whole answers of a model of the chain or of a cheaper one.
    pub(crate) fn of_a_model(&self) -> usize {
        self.calls.iter().filter(|call| call.is_of_a_model()).count()
    }

    /// The headline: of the calls during which at least one model was up, how many a model answered, in percent. A canned reply is
    /// no answer of a model.
    pub(crate) fn success_while_a_model_was_up(&self) -> f64 {
        let possible = || self.calls.iter().filter(|call| call.could_be_answered());
        let answered = possible().filter(|call| call.is_of_a_model()).count();
        100.0 * share(answered, possible().count())
    }

    /// The numbers of the calls that a model of the chain answered.
    pub(crate) fn full(&self) -> BTreeSet<u64> {
        let full = self.calls.iter().filter(|call| call.outcome == Outcome::Full);
        full.map(|call| call.number).collect()
    }

    /// The time within which the first token came for so many in a hundred of these calls.
    pub(crate) fn first_token(&self, of: &BTreeSet<u64>, percent: usize) -> Duration {
        let calls = self.calls.iter().filter(|call| of.contains(&call.number));
        let mut times: Vec<_> = calls.filter_map(|call| call.first_token).collect();
        times.sort_unstable();
        let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(at).copied().unwrap_or_default()
    }

    /// The kinds of failure and their counts, the most frequent first.
    pub(crate) fn failures(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for call in &self.calls {
            let Outcome::Failed(kind) = call.outcome else { continue };
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        counts.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        counts
    }

    /// By the second in which they began: how many were answered in full, degraded, and failed.
    pub(crate) fn by_second(&self) -> Vec<(u64, [usize; 3])> {
        let mut seconds: Vec<_> = (0..SECONDS).map(|second| (second, [0; 3])).collect();
        for call in &self.calls {
            let second = usize::try_from(call.began.as_secs()).unwrap_or(usize::MAX);
            let Some((_, [full, degraded, failed])) = seconds.get_mut(second) else {
                continue;
            };
            *match call.outcome {
                Outcome::Full => full,
                Outcome::Degraded(_) => degraded,
                Outcome::Failed(_) => failed,
            } += 1;
        }
        seconds
    }
}

pub(crate) fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    f64::from(u32::try_from(part).unwrap_or(u32::MAX)) / f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}
