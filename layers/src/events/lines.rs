//! The lines of a call's log, as events.

use super::{EventKind, emit};
use crate::Attempt;

/// An attempt, or one of its exchanges, has ended: this is its line.
pub(crate) fn attempt_ended(line: &Attempt) {
    emit(|| EventKind::AttemptEnded(Box::new(line.clone())));
}

/// A candidate was passed over: this is its line.
pub(crate) fn candidate_skipped(line: &Attempt) {
    emit(|| EventKind::CandidateSkipped(Box::new(line.clone())));
}
