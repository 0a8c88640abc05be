use tower_llm_layers::{UtcTime, budget::Budgets, ledger::Entry, reconcile::Reconciler};

use crate::{DatabaseLedger, Filter, LedgerError};

/// What a ledger has brought back after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Entries that were booked on the budgets again.
    pub booked: u64,
    /// Entries whose bill is asked for again.
    pub awaiting: u64,
}

impl DatabaseLedger {
    /// Brings back what a process knew before it ended: books what was spent in the windows that still last on budgets whose accounts are
    /// in this process, and asks again for the bills that have not come. Once, before the first call.
    ///
    /// Not for budgets in a store that several processes share: that has forgotten nothing.
    ///
    /// # Errors
    ///
    /// Where the database does not answer; some entries may be booked by then: begin with empty budgets again.
    ///
    /// # Cancellation
    ///
    /// As an error.
    pub async fn restore(&self, budgets: &Budgets, reconciler: Option<&Reconciler>) -> Result<Restored, LedgerError> {
        let now = UtcTime::now();
        let mut restored = Restored::default();
        // The window that began first, of all that last.
        let from = budgets.iter().map(|budget| budget.window().start(now)).min();
        if let Some(from) = from {
            let filter = Filter::new().from(from);
            let mut last: Option<Entry> = None;
            loop {
                let mut page = self.page(&filter, last.as_ref()).await?;
                budgets.refill(&page);
                restored.booked += page.len() as u64;
                last = page.pop();
                if last.is_none() {
                    break;
                }
            }
        }
        if let Some(reconciler) = reconciler {
            let awaiting = self.awaiting_bill(UtcTime::from_millis(0)).await?;
            restored.awaiting = awaiting.len() as u64;
            reconciler.resume(awaiting);
        }
        Ok(restored)
    }
}
