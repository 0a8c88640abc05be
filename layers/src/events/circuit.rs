//! What a circuit reports.

use std::time::Duration;

use super::{EventKind, emit};
use crate::Candidate;

pub(crate) fn circuit_opened(candidate: &Candidate, open_for: Duration) {
    emit(|| {
        let candidate = candidate.clone();
        EventKind::CircuitOpened { candidate, open_for }
    });
}

pub(crate) fn circuit_probed(candidate: &Candidate) {
    emit(|| {
        let candidate = candidate.clone();
        EventKind::CircuitProbed { candidate }
    });
}

pub(crate) fn circuit_closed(candidate: &Candidate) {
    emit(|| {
        let candidate = candidate.clone();
        EventKind::CircuitClosed { candidate }
    });
}
