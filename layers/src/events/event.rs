//! What can happen in a call.

use std::time::Duration;

use crate::{Attempt, Candidate, Degraded, FailureKind};

/// Something that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The call in which it happened: a number that no other call of this sender has, from 1.
    pub call: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Never a key, a prompt or an answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt has ended: its line of the log.
    AttemptEnded(Box<Attempt>),
    /// A candidate was passed over: its line of the log.
    CandidateSkipped(Box<Attempt>),
    /// The same candidate is tried again.
    Retry {
        /// The candidate; `None` without a chain.
        candidate: Option<Candidate>,
        /// Why the attempt before failed.
        after: FailureKind,
        /// How long the call waits before it.
        wait: Duration,
    },
    /// Another candidate is tried.
    Fallback {
        /// The one that failed.
        from: Candidate,
        /// The next one.
        to: Candidate,
        /// Why the one before failed.
        after: FailureKind,
    },
    /// A hedge is sent in parallel to a slow candidate.
    Hedge {
        /// The candidate that it is sent to.
        candidate: Candidate,
    },
    /// A circuit has opened.
    CircuitOpened {
        /// Whose it is.
        candidate: Candidate,
        /// For how long at first.
        open_for: Duration,
    },
    /// An open circuit lets probes through.
    CircuitProbed {
        /// Whose it is.
        candidate: Candidate,
    },
    /// A circuit has closed: a rising share of the attempts passes.
    CircuitClosed {
        /// Whose it is.
        candidate: Candidate,
    },
    /// A budget did not allow an attempt.
    BudgetRefused {
        /// The budget's name.
        budget: String,
        /// The account in it.
        account: String,
    },
    /// A budget has filled up to one of its [marks](crate::budget::WARN_AT_PERCENT).
    BudgetCrossed {
        /// The budget's name.
        budget: String,
        /// The account in it.
        account: String,
        /// How full it is at least, in percent of its cap.
        percent: u8,
    },
    /// The caller gets a degraded answer.
    Degraded(Box<Degraded>),
}
