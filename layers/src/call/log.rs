//! What was tried for one call.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Attempt, Candidate, Outcome, state::CallState};
use crate::{FailureKind, UsdAmount};

/// What was tried for one call: in the extensions of every response, and on every error.
///
/// A handle, not a copy: while a stream continues, its last line still changes. Prints as a table, one line per attempt. It is
/// empty if a cached response or a coalesced call served, or without an [`AttemptLayer`](crate::attempt::AttemptLayer).
#[derive(Clone)]
pub struct AttemptLog(Arc<CallState>);

impl AttemptLog {
    pub(super) const fn new(state: Arc<CallState>) -> Self {
        Self(state)
    }

    /// Every line so far, in order.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.lines().to_vec()
    }

    /// How many attempts were sent upstream. What a budget, a price list or a missing key refused is not among them, nor an attempt that ended while
    /// it waited for a connection.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.0.lines().iter().filter(|line| line.is_sent).count()
    }

    /// The attempt that answered, if one did: with its candidate, and the provider that served it.
    #[must_use]
    pub fn answer(&self) -> Option<Attempt> {
        self.0.lines().iter().rev().find(|line| line.has_answered()).cloned()
    }

    /// Whether an attempt answered, without a copy of it.
    #[must_use]
    pub fn has_answer(&self) -> bool {
        self.0.lines().iter().any(Attempt::has_answered)
    }

    /// The candidate that answered, if one did.
    #[must_use]
    pub fn answered_by(&self) -> Option<Candidate> {
        let lines = self.0.lines();
        lines.iter().rev().find(|line| line.has_answered())?.candidate.clone()
    }

    /// Marks the answer of this candidate as one that failed above the attempt: whole on the wire, and of no use. A call that is repeated
    /// then tries the candidate after all others.
    ///
    /// For a layer that makes something else out of answers, and reads a body to its end before it returns. Nothing happens if no answer of
    /// the candidate has begun in this call.
    pub fn reject_answer(&self, candidate: &Candidate, kind: FailureKind, summary: &str) {
        let mut lines = self.0.lines();
        let begun = |line: &&mut Attempt| line.first_token.is_some() && line.candidate.as_ref() == Some(candidate);
        if let Some(line) = lines.iter_mut().rev().find(begun)
            && !matches!(line.outcome, Outcome::Failed(_))
        {
            line.outcome = Outcome::Failed(kind);
            line.summary = Some(summary.into());
        }
    }

    /// The candidate of the answer that the caller sees: begun, and not the loser of a hedge.
    pub(crate) fn shown(&self) -> Option<Candidate> {
        let lines = self.0.lines();
        let begun = |line: &&Attempt| line.first_token.is_some() && line.outcome != Outcome::Dropped;
        lines.iter().rev().find(begun)?.candidate.clone()
    }

    /// What all attempts cost together, as far as is known; `None` without a cost layer. A bill that comes later corrects the ledger and the budgets, not
    /// this log.
    #[must_use]
    pub fn cost(&self) -> Option<UsdAmount> {
        let lines = self.0.lines();
        let costs = lines.iter().filter_map(|line| line.cost);
        costs.reduce(UsdAmount::saturating_add)
    }

    /// The id under which ledgers know the call; `None` before its first entry.
    #[cfg(feature = "cost")]
    #[must_use]
    pub fn call_id(&self) -> Option<super::CallId> {
        self.0.known_id()
    }

    /// When the call must have ended, last byte of the stream included; `None` without a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// Since the call was opened.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Display for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.0.lines();
        if lines.is_empty() {
            return f.write_str("  no attempt was recorded");
        }
        let upstreams = lines
            .iter()
            .filter_map(|line| Some(line.candidate.as_ref()?.upstream()));
        let first = upstreams.clone().next();
        // The upstream is named only if there are several.
        let several = upstreams.into_iter().any(|upstream| Some(upstream) != first);
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match &line.candidate {
                Some(candidate) if several => line.write(f, &candidate.to_string())?,
                _ => write!(f, "{line}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.lines().iter()).finish()
    }
}
