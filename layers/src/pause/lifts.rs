//! What was lifted last: an attempt that began before a lift says nothing of the time after it.

use std::collections::VecDeque;

use crate::{Candidate, FailureScope};

/// So many lifts are remembered, the last ones.
const MOST: usize = 1_000;

/// What a lift ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lifted {
    /// All that applies to a candidate, whatever requests pin.
    Candidate(Candidate),
    /// All of an upstream.
    Upstream(Box<str>),
    All,
}

impl Lifted {
    /// Whether it ends a pause that this candidate has met, and that reaches so far.
    pub(super) fn ends(&self, met: &Candidate, scope: FailureScope) -> bool {
        match self {
            Self::All => true,
            Self::Upstream(upstream) => met.upstream() == &**upstream,
            Self::Candidate(candidate) => {
                let is_of_upstream = met.upstream() == candidate.upstream();
                match scope {
                    FailureScope::Candidate => is_of_upstream && met.model() == candidate.model(),
                    FailureScope::Pool => met.pool() == candidate.pool(),
                    FailureScope::Upstream => is_of_upstream,
                }
            }
        }
    }
}

/// The last lifts, the newest one last.
#[derive(Debug, Default)]
pub(super) struct Lifts(VecDeque<(Lifted, u64)>);

impl Lifts {
    /// Remembers a lift that begins this era.
    pub(super) fn add(&mut self, lifted: Lifted, era: u64) {
        self.0.retain(|(known, _)| *known != lifted);
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((lifted, era));
    }

    /// Whether a pause that this candidate has met was lifted since its attempt began in this era.
    pub(super) fn ended(&self, met: &Candidate, scope: FailureScope, begun: u64) -> bool {
        let since = self.0.iter().rev().take_while(|(_, era)| begun < *era);
        since.map(|(lifted, _)| lifted).any(|lifted| lifted.ends(met, scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lifts_are_remembered_each_once() {
        let met = Candidate::new("x", "a").unwrap();
        let upstream = |name: &str| Lifted::Upstream(name.into());
        let mut lifts = Lifts::default();
        lifts.add(upstream("x"), 1);
        lifts.add(upstream("y"), 2);
        let ended = |lifts: &Lifts, begun| lifts.ended(&met, FailureScope::Upstream, begun);
        assert_eq!((ended(&lifts, 0), ended(&lifts, 1)), (true, false));
        lifts.add(upstream("x"), 3);
        assert_eq!((lifts.0.len(), ended(&lifts, 2), ended(&lifts, 3)), (2, true, false));
        for era in 4..3_000 {
            lifts.add(upstream(&format!("upstream-{era}")), era);
        }
        assert_eq!((lifts.0.len(), ended(&lifts, 0)), (MOST, false));
    }
}
