//! How a copy of a call continues an interrupted answer, and what was learned of candidates that continue otherwise.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Candidate;
use crate::util::Lock;

/// How a model continues an answer that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ContinueBy {
    /// It continues its own message, which the request begins with what was shown.
    #[default]
    Prefill,
    /// It is instructed to continue, in a message after its own, and to begin with the last characters that were shown.
    Instruction,
    /// Not at all: it is not called for a continuation.
    Never,
}

/// How long a candidate continues by instruction after it has not continued a begun message.
const LEARNED_FOR: Duration = Duration::from_secs(3600);

/// Candidates of which that is kept at most: a request may name any model.
const MOST_LEARNED: usize = 1_000;

/// The candidates that do not continue a begun message, each until it is looked at again.
#[derive(Default)]
pub(crate) struct InstructionOnly(Lock<HashMap<Candidate, Instant>>);

impl InstructionOnly {
    pub(crate) fn note(&self, candidate: &Candidate) {
        let now = crate::util::now();
        let mut table = self.0.lock();
        if table.len() >= MOST_LEARNED {
            table.retain(|_, until| *until > now);
        }
        if table.len() < MOST_LEARNED {
            table.insert(candidate.clone(), now + LEARNED_FOR);
        }
    }

    fn knows(&self, candidate: &Candidate) -> bool {
        self.0
            .lock()
            .get(candidate)
            .is_some_and(|until| *until > crate::util::now())
    }
}

/// Carried by the copies of a call that continue an interrupted answer.
pub(crate) struct Continuation {
    /// The candidate that gave the answer, as far as that is known.
    pub(crate) interrupted: Option<Candidate>,
    /// It fell silent, so that the others are called before it.
    pub(crate) fell_silent: bool,
    /// The caller itself had begun the message.
    pub(crate) begun_by_caller: bool,
    /// The end of what was shown: what an answer by instruction begins with.
    pub(crate) last: String,
    /// What the type of the requests says of a candidate.
    pub(crate) table: fn(&Candidate) -> ContinueBy,
    pub(crate) learned: Arc<InstructionOnly>,
    /// Those that did not take the begun message in this call, and whether each has had another turn.
    pub(crate) refused: Lock<Vec<(Candidate, bool)>>,
}

impl Continuation {
    /// How this candidate continues; `takes_prefill` is what a catalogue says.
    pub(crate) fn way(&self, candidate: &Candidate, takes_prefill: Option<bool>) -> ContinueBy {
        let way = (self.table)(candidate);
        let is_refused = || self.refused.lock().iter().any(|(refused, _)| refused == candidate);
        if way == ContinueBy::Prefill && (takes_prefill == Some(false) || is_refused() || self.learned.knows(candidate))
        {
            return ContinueBy::Instruction;
        }
        way
    }

    /// It does not take the begun message: for the rest of this call it continues by instruction.
    pub(crate) fn refuse(&self, candidate: &Candidate) {
        let mut refused = self.refused.lock();
        if refused.iter().all(|(refused, _)| refused != candidate) {
            refused.push((candidate.clone(), false));
        }
    }

    /// Whether it did not take the begun message, and is to have its turn by instruction: true once.
    pub(crate) fn takes_another_turn(&self, candidate: &Candidate) -> bool {
        let mut refused = self.refused.lock();
        let found = refused.iter_mut().find(|(refused, _)| refused == candidate);
        found.is_some_and(|(_, had)| !std::mem::replace(had, true))
    }

    /// It has continued by instruction. If it did not take the begun message before, other calls ask by instruction at once.
    pub(crate) fn continued(&self, candidate: &Candidate) {
        if self.refused.lock().iter().any(|(refused, _)| refused == candidate) {
            self.learned.note(candidate);
        }
    }
}

impl fmt::Debug for Continuation {
    /// Never what was shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Continuation")
            .field("interrupted", &self.interrupted)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for InstructionOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstructionOnly")
            .field("candidates", &self.0.lock().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_learned_has_an_end_and_a_bound() {
        let learned = InstructionOnly::default();
        let of = |number: usize| Candidate::new("router", &format!("model-{number}")).unwrap();
        (0..=MOST_LEARNED).for_each(|number| learned.note(&of(number)));
        assert!(learned.knows(&of(0)) && !learned.knows(&of(MOST_LEARNED)), "no room");
        tokio::time::advance(LEARNED_FOR).await;
        assert!(!learned.knows(&of(0)), "looked at again");
        learned.note(&of(MOST_LEARNED));
        assert!(learned.knows(&of(MOST_LEARNED)) && learned.0.lock().len() == 1);
    }
}
