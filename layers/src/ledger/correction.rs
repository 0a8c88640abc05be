use super::{Entry, EntryId, EntryState};
use crate::{TokenUsage, UsdAmount, UtcTime};

/// The bill of an entry that was an estimate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Correction {
    /// Of which entry.
    pub id: EntryId,
    /// When it became known.
    pub at: UtcTime,
    /// What the upstream charged.
    pub bill: UsdAmount,
    /// What it took, by the upstream's own count; `None` if it does not say.
    pub usage: Option<TokenUsage>,
}

impl Correction {
    /// This bill for that entry.
    #[must_use]
    pub const fn new(id: EntryId, at: UtcTime, bill: UsdAmount, usage: Option<TokenUsage>) -> Self {
        Self { id, at, bill, usage }
    }

    /// Puts the bill into its entry.
    pub fn apply(&self, entry: &mut Entry) {
        entry.bill = Some(self.bill);
        entry.state = EntryState::Reconciled;
        entry.usage = self.usage.unwrap_or(entry.usage);
        entry.booked = self.bill;
    }
}
