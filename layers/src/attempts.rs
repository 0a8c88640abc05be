//! What was tried for one call.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{Candidate, FailureKind, UsdAmount, call::Shared, error::Seconds};

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
    /// What it cost: the bill, or an estimate of it. `None` while it runs, and where nobody counts.
    pub cost: Option<UsdAmount>,
    /// Whether the cost is an estimate.
    pub cost_is_estimate: bool,
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
            cost: None,
            cost_is_estimate: false,
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

impl Attempt {
    /// Whether it went out: what our own budgets, prices, keys and limits refuse has no status.
    #[cfg(feature = "retry")]
    pub(crate) const fn was_sent(&self) -> bool {
        use FailureKind as K;
        match self.outcome {
            Outcome::Skipped => false,
            Outcome::Failed(
                K::InsufficientFunds
                | K::BudgetExceeded
                | K::StoreUnavailable
                | K::NoEndpoint
                | K::Auth
                | K::ConcurrencyLimited
                | K::CircuitOpen,
            ) => self.status.is_some(),
            _ => true,
        }
    }

    /// What happened, in the order of what a reader asks first.
    fn story(&self) -> String {
        let mut story = match (self.outcome, self.status, &self.summary) {
            (Outcome::Waiting, ..) => "waiting".to_owned(),
            (Outcome::Answering, ..) => "answering".to_owned(),
            (Outcome::Answered, ..) => "answered".to_owned(),
            (Outcome::Dropped, ..) => "dropped".to_owned(),
            (Outcome::Skipped, _, Some(reason)) => format!("passed over: {reason}"),
            (Outcome::Skipped, _, None) => "passed over".to_owned(),
            (Outcome::Failed(_), Some(status), Some(summary)) => format!("{status} {summary}"),
            (Outcome::Failed(kind), Some(status), None) => format!("{status} {kind}"),
            (Outcome::Failed(_), None, Some(summary)) => summary.to_string(),
            (Outcome::Failed(kind), None, None) => kind.to_string(),
        };
        if let Some(first) = self.first_token {
            story.push_str(&format!(", first token in {}", Seconds(first)));
        }
        if let Some(cost) = self.cost.filter(|cost| *cost != UsdAmount::ZERO) {
            let about = if self.cost_is_estimate { "about " } else { "" };
            story.push_str(&format!(", {about}{cost}"));
        }
        if let Some(hint) = self.retry_after {
            story.push_str(&format!(", retry after {}", Seconds(hint)));
        }
        if let Some(note) = &self.note {
            story.push_str(&format!(" ({note})"));
        }
        story
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let candidate = self.candidate.as_ref();
        self.write(f, candidate.map_or("(no model named)", Candidate::model))
    }
}

impl Attempt {
    fn write(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let story = self.story();
        if self.outcome == Outcome::Skipped {
            return write!(f, "  -  {name:<28}  {story}");
        }
        write!(f, "{:>3}  {name:<28}  ", self.number)?;
        let Some(duration) = self.duration else {
            return f.write_str(&story);
        };
        write!(f, "{story:<36}  after {:>6}", Seconds(duration))?;
        match self.waited {
            Some(waited) => write!(f, ", waited {}", Seconds(waited)),
            None => Ok(()),
        }
    }
}

/// What was tried for one call: in the extensions of every response, and on every error.
///
/// A handle, not a copy: while a stream goes on, its last line still changes. Prints as a table, one line an attempt. It is empty
/// where a kept answer served, or another caller's, or where no [`AttemptLayer`](crate::attempt::AttemptLayer) writes it.
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

    /// The number of the attempt that was begun last; 0 where there is none.
    #[cfg(feature = "observe")]
    pub(crate) fn last_number(&self) -> u32 {
        self.0.claimed()
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

    /// Whose answer was the last to begin, whatever became of it.
    #[cfg(feature = "resume")]
    pub(crate) fn last_begun(&self) -> Option<Candidate> {
        let lines = self.0.lines();
        let begun = lines.iter().rev().find(|line| line.first_token.is_some())?;
        begun.candidate.clone()
    }

    /// How long the last attempt at this candidate took to begin its answer.
    #[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker"))]
    pub(crate) fn last_first_token(&self, candidate: &Candidate) -> Option<Duration> {
        let lines = self.0.lines();
        let mut own = lines.iter().rev();
        own.find(|line| line.candidate.as_ref() == Some(candidate))?.first_token
    }

    /// What all attempts cost together, as far as is known; `None` where nobody counts.
    #[must_use]
    pub fn cost(&self) -> Option<UsdAmount> {
        let lines = self.0.lines();
        let costs = lines.iter().filter_map(|line| line.cost);
        costs.reduce(UsdAmount::saturating_add)
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
            return f.write_str("  no attempt was written down");
        }
        let upstreams = lines
            .iter()
            .filter_map(|line| Some(line.candidate.as_ref()?.upstream()));
        let first = upstreams.clone().next();
        // The upstream is worth a word only where there are several.
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

/// The lines, whatever a panicking holder left behind: each write is whole.
pub(crate) fn lock<T>(lines: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}
