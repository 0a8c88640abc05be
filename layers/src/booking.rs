//! Writes what an attempt cost into its line of the log.

use std::sync::Arc;

use crate::{Attempt, Call, UsdAmount, UtcTime, call::Shared, ledger::CallId};

/// The line of one attempt, to be written on when it has ended.
pub(crate) struct Booking {
    shared: Arc<Shared>,
    index: usize,
    pub(crate) call: CallId,
    pub(crate) attempt: u32,
}

impl Booking {
    /// Of the attempt that was begun last: the layer that begins it calls inwards at once.
    pub(crate) fn of(call: &Call, at: UtcTime) -> Option<Self> {
        let shared = call.shared()?;
        let lines = shared.lines();
        let (index, line) = lines.iter().enumerate().rev().find(|(_, line)| line.number > 0)?;
        let attempt = line.number;
        drop(lines);
        Some(Self {
            call: shared.id(at),
            shared: Arc::clone(shared),
            index,
            attempt,
        })
    }

    pub(crate) fn costs(&self, cost: UsdAmount, is_estimate: bool) {
        self.change(|line| {
            line.cost = Some(cost);
            line.cost_is_estimate = is_estimate;
        });
    }

    pub(crate) fn note(&self, note: &str) {
        self.change(|line| line.note = Some(note.into()));
    }

    fn change(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(line) = self.shared.lines().get_mut(self.index) {
            change(line);
        }
    }
}
