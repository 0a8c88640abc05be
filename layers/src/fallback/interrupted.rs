//! Candidates whose answers were interrupted in this call: which of them are tried once more.

use super::cursor::Ban;
use crate::Candidate;

/// Those whose answers were interrupted more than once.
pub(super) fn twice(broken: Vec<Candidate>) -> Vec<Candidate> {
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    for candidate in broken {
        if !once.contains(&candidate) {
            once.push(candidate);
        } else if !twice.contains(&candidate) {
            twice.push(candidate);
        }
    }
    twice
}

/// Of those whose answers were interrupted: which is tried once more, and which have been.
pub(super) fn late(broken: Vec<Candidate>) -> (Vec<Candidate>, Vec<Ban>) {
    let (mut late, mut bans) = (Vec::new(), Vec::new());
    for candidate in broken {
        if late.contains(&candidate) {
            bans.push(Ban::BrokeOff(candidate));
        } else {
            late.push(candidate);
        }
    }
    (late, bans)
}
