//! What was tried for one call.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Candidate, FailureKind, call::Shared, error::Seconds};

/// How one attempt ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing has come yet.
    Waiting,
    /// The answer has begun, and goes on.
    Answering,
    /// The whole answer came.
    Answered,
    /// It failed.
    Failed(FailureKind),
    /// The caller left, or its deadline passed, or another candidate was faster.
    Dropped,
    /// It was never sent: the candidate cannot take this request.
    Skipped,
}

/// One line of the log: an attempt, or a candidate that was passed over.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// Which attempt of the call, from 1; 0 for a candidate that was passed over.
    pub number: u32,
    /// The model and its upstream.
    pub candidate: Option<Candidate>,
    /// When it started, after the start of the call.
    pub started: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status of a failure, where there was one.
    pub status: Option<u16>,
    /// What happened, in a few words: without key, prompt or answer.
    pub summary: Option<Box<str>>,
    /// From its start to the first token.
    pub first_token: Option<Duration>,
    /// From its start to its end.
    pub duration: Option<Duration>,
    /// What the upstream asked to wait.
    pub retry_after: Option<Duration>,
    /// How long the call waited after it.
    pub waited: Option<Duration>,
    /// Why the call went no further on this candidate, where the reason is not the failure itself.
    pub note: Option<Box<str>>,
}

impl Attempt {
    pub(crate) fn new(number: u32, candidate: Option<Candidate>, started: Duration) -> Self {
        Self {
            number,
            candidate,
            started,
            outcome: Outcome::Waiting,
            status: None,
            summary: None,
            first_token: None,
            duration: None,
            retry_after: None,
            waited: None,
            note: None,
        }
    }

    /// Whether this attempt, and not an earlier one, gave the answer.
    #[must_use]
    pub const fn gave_answer(&self) -> bool {
        matches!(self.outcome, Outcome::Answering | Outcome::Answered)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self
            .candidate
            .as_ref()
            .map_or("(no model named)", Candidate::model);
        if self.outcome == Outcome::Skipped {
            write!(f, "  -  {name:<32} passed over")?;
        } else {
            write!(f, "{:>3}  {name:<32} ", self.number)?;
            match (self.outcome, self.status) {
                (Outcome::Waiting, _) => f.write_str("waiting")?,
                (Outcome::Answering, _) => f.write_str("answering")?,
                (Outcome::Answered, _) => f.write_str("answered")?,
                (Outcome::Dropped, _) => f.write_str("dropped")?,
                (Outcome::Failed(_), Some(status)) => write!(f, "{status}")?,
                (Outcome::Failed(kind), None) if self.summary.is_none() => write!(f, "{kind}")?,
                (Outcome::Failed(_) | Outcome::Skipped, None | Some(_)) => {}
            }
        }
        if let Some(summary) = &self.summary {
            let gap = if matches!(self.outcome, Outcome::Failed(_)) && self.status.is_none() {
                ""
            } else {
                " "
            };
            let colon = if self.outcome == Outcome::Skipped {
                ":"
            } else {
                ""
            };
            write!(f, "{colon}{gap}{summary}")?;
        }
        if let Some(hint) = self.retry_after {
            write!(f, ", retry after {}", Seconds(hint))?;
        }
        if let Some(first) = self.first_token {
            write!(f, ", first token after {}", Seconds(first))?;
        }
        if let Some(duration) = self.duration {
            write!(f, ", after {}", Seconds(duration))?;
        }
        if let Some(waited) = self.waited {
            write!(f, ", waited {}", Seconds(waited))?;
        }
        if let Some(note) = &self.note {
            write!(f, " ({note})")?;
        }
        Ok(())
    }
}

/// What was tried for one call: in the extensions of every response, and on every error.
///
/// A handle, not a copy: while a stream goes on, its last line still changes. Prints as a table, one line an attempt.
#[derive(Clone)]
pub struct AttemptLog(Arc<Shared>);

impl AttemptLog {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Every line so far, in order.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.lines().clone()
    }

    /// How many attempts were sent upstream.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.0
            .lines()
            .iter()
            .filter(|line| line.outcome != Outcome::Skipped)
            .count()
    }

    /// The candidate that gave the answer, where one did.
    #[must_use]
    pub fn answered_by(&self) -> Option<Candidate> {
        self.0
            .lines()
            .iter()
            .rev()
            .find(|line| line.gave_answer())?
            .candidate
            .clone()
    }

    /// Since the call was opened.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl fmt::Display for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.0.lines().iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{line}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.lines().iter()).finish()
    }
}

/// The lines, whatever a panicking holder left behind: each write is whole.
pub(crate) fn lock(lines: &Mutex<Vec<Attempt>>) -> MutexGuard<'_, Vec<Attempt>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
