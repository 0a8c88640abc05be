//! What a process takes out of the ledger when it starts again: what its budgets have spent, and which bills are still to come.

use tower_llm_layers::{
    UtcTime,
    budget::{Budgets, Window},
    ledger::Entry,
    reconcile::Reconciler,
};

use crate::{DatabaseLedger, Filter, LedgerError};

/// What [`DatabaseLedger::restore`] has put into budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Restored {
    /// Entries that were recorded on the budgets again.
    pub recorded: u64,
}

impl DatabaseLedger {
    /// Records what was spent in the windows that still last on budgets whose accounts are in this process, so that a restart does not
    /// forget it. Once, before the first call.
    ///
    /// A budget without a window counts every entry, and the sums of those that were [forgotten](Self::forget_before): forget old entries from time
    /// to time, and a start reads few rows.
    ///
    /// Not for budgets in a store that several processes share: that has forgotten nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the database does not answer. Some entries may be recorded by then: begin with empty budgets again.
    ///
    /// # Cancellation
    ///
    /// As after an error.
    pub async fn restore(&self, budgets: &Budgets) -> Result<Restored, LedgerError> {
        self.restore_of(budgets, &Filter::new()).await
    }

    /// The same for entries that a filter lets pass: for budgets which count no others, such as those of one tag that come while a process runs.
    /// The window of the budgets replaces the filter's beginning, and the sums of forgotten entries are not filtered.
    ///
    /// # Errors
    ///
    /// As [`restore`](Self::restore).
    ///
    /// # Cancellation
    ///
    /// As after an error.
    pub async fn restore_of(&self, budgets: &Budgets, filter: &Filter) -> Result<Restored, LedgerError> {
        let now = UtcTime::now();
        let mut restored = Restored::default();
        // The window that began first, of all that last.
        let Some(from) = budgets.iter().map(|budget| budget.window_start(now)).min() else {
            // Nothing is forgotten, so one that is added later may begin empty.
            budgets.refill([]);
            return Ok(restored);
        };
        if budgets.iter().any(|budget| budget.window() == Window::Ever) {
            budgets.refill(&self.forgotten().await?);
        }
        let filter = filter.clone().from(from);
        let mut last: Option<Entry> = None;
        loop {
            let mut page = self.page(&filter, last.as_ref()).await?;
            budgets.refill(&page);
            restored.recorded += page.len() as u64;
            last = page.pop();
            if last.is_none() {
                return Ok(restored);
            }
        }
    }

    /// Hands the entries whose bills had not come when the last run ended to a reconciler, the latest first: it asks for their bills again, and
    /// settles the others at their estimates. Says how many.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] if the database does not answer: no bill is requested then.
    ///
    /// # Cancellation
    ///
    /// No bill is requested.
    pub async fn resume_bills(&self, reconciler: &Reconciler) -> Result<u64, LedgerError> {
        let awaiting = self.awaiting_bill(UtcTime::from_millis(0)).await?;
        let count = awaiting.len() as u64;
        reconciler.resume(awaiting);
        Ok(count)
    }
}
