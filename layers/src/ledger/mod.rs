//! What calls cost: one entry per attempt, and the ledgers that take the entries.
//!
//! The cost layer hands each attempt's [`Entry`] to a [`Ledger`] when the attempt has ended, however it
//! ended. If the bill becomes known later, a [`Correction`] follows.

mod correction;
mod entry;
mod groups;
mod memory;
mod sink;
mod spend;
mod traced;

pub use crate::call::{CallId, EntryId};
pub use correction::Correction;
pub(crate) use entry::difference_per_mille;
pub use entry::{Entry, EntryOutcome, EntryState};
pub use memory::{DEFAULT_MAX_ENTRIES, DEFAULT_MAX_GROUPS, MemoryLedger, OTHERS};
pub use sink::{Ledger, Tee};
pub use spend::{GroupBy, NONE, Spend, SpendRow};
pub use traced::TracingLedger;
