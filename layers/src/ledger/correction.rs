//! The correction of an entry that was an estimate.

use super::{Entry, EntryId, EntryState};
use crate::{TokenUsage, UsdAmount, UtcTime};

/// What becomes of an entry that was an estimate: its bill, or that there will be none, or that it is left to a later run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Correction {
    /// Of which entry.
    pub id: EntryId,
    /// When it became known.
    pub at: UtcTime,
    /// What the upstream charged; `None` if no bill was received.
    pub bill: Option<UsdAmount>,
    /// What is recorded from now on: the bill, or the estimate that became final.
    pub recorded: UsdAmount,
    /// What it took, by the upstream's own count; `None` if it does not say.
    pub usage: Option<TokenUsage>,
    /// Whether the entry still awaits its bill: only what is recorded changes.
    pub awaits_bill: bool,
}

impl Correction {
    /// This bill for that entry.
    #[must_use]
    pub const fn new(id: EntryId, at: UtcTime, bill: UsdAmount, usage: Option<TokenUsage>) -> Self {
        Self {
            id,
            at,
            bill: Some(bill),
            recorded: bill,
            usage,
            awaits_bill: false,
        }
    }

    /// No bill for that entry, which cost this much as far as is known.
    #[must_use]
    pub const fn unbilled(id: EntryId, at: UtcTime, estimate: UsdAmount) -> Self {
        Self {
            id,
            at,
            bill: None,
            recorded: estimate,
            usage: None,
            awaits_bill: false,
        }
    }

    /// The bill of that entry is left to a later run, and the budgets count its estimate until then. It changes nothing once the bill is there.
    #[must_use]
    pub const fn deferred(id: EntryId, at: UtcTime, estimate: UsdAmount) -> Self {
        Self {
            awaits_bill: true,
            ..Self::unbilled(id, at, estimate)
        }
    }

    /// The state of the entry from now on.
    #[must_use]
    pub const fn state(&self) -> EntryState {
        match self.bill {
            Some(_) => EntryState::Reconciled,
            None if self.awaits_bill => EntryState::Estimated,
            None => EntryState::Unbilled,
        }
    }

    /// Puts it into its entry.
    pub fn apply(&self, entry: &mut Entry) {
        if self.awaits_bill && !entry.awaits_bill() {
            return;
        }
        entry.bill = self.bill;
        entry.state = self.state();
        entry.usage = self.usage.unwrap_or(entry.usage);
        entry.recorded = self.recorded;
    }
}
