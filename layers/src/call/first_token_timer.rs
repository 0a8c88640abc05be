//! How soon the answer of one turn began, as far as that is the upstream's doing.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::state::CallState;

/// Times the beginning of an answer from above the attempt.
#[derive(Debug)]
pub(crate) struct FirstTokenTimer {
    state: Option<Arc<CallState>>,
    turn: u32,
    since: Instant,
}

impl FirstTokenTimer {
    pub(super) fn new(state: Option<Arc<CallState>>, turn: u32) -> Self {
        Self {
            state,
            turn,
            since: crate::util::now(),
        }
    }

    /// Since the attempt began, because time in a queue is not the upstream's; without an attempt layer, since this timer was made.
    pub(crate) fn took(&self) -> Duration {
        let mut own = None;
        if let Some(state) = &self.state {
            state.find_in_turn(self.turn, |line| {
                own = line.first_token;
                true
            });
        }
        own.unwrap_or_else(|| crate::util::since(self.since))
    }
}
