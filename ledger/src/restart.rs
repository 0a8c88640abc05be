//! What a process takes out of the ledger when it starts again: what its budgets have spent, and which bills are still to come.

use tower_llm_layers::{
    UtcTime,
    budget::{Budgets, Window},
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
    /// The database adds entries up by upstream, model, model that answered, tags, and the windows that count them: few sums are read, however many
    /// entries there are. A budget without a window counts every entry, and the sums of those that were [forgotten](Self::forget_before).
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
    /// The window of the budgets replaces the filter's beginning.
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
        if !budgets.are_volatile() {
            // They come into force later, and have counted what ended until now: nothing that ends while sums are read. Those of a start have no such
            // time, and stay volatile if the database does not answer.
            budgets.refill([]);
        }
        // The window that began first, of all that last.
        let Some(from) = budgets.iter().map(|budget| budget.window_start(now)).min() else {
            // Nothing is forgotten, so one that is added later may begin empty.
            budgets.refill([]);
            return Ok(restored);
        };
        restored.recorded = self.refill_by_sums(budgets, filter, (from, now)).await?;
        // Behind the entries: what is forgotten meanwhile counts twice until the next start, and is not lost.
        if budgets.iter().any(|budget| budget.window() == Window::Ever) {
            budgets.refill(&self.forgotten(filter).await?);
        }
        Ok(restored)
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

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::{fs, hint::spin_loop, sync::Arc, thread, time::Duration};

    use tokio::runtime;
    use tower_llm_layers::{
        UsdAmount,
        budget::{Budget, InMemoryBudgetStore},
        ledger::Ledger,
    };

    use super::*;
    use crate::{LedgerOptions, writer::tests::entry};

    /// It is not in the sums, so its bill has nothing to take back.
    #[tokio::test]
    async fn an_entry_that_ends_while_sums_are_read_is_not_counted() {
        let folder = std::env::temp_dir().join(format!("ledger-meanwhile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ledger = LedgerOptions::sqlite(folder.join("spend.sqlite")).open().await.unwrap();
        let mut known = entry();
        known.recorded = UsdAmount::from_pico(100);
        ledger.record(&known);
        assert_eq!(ledger.close().await.written, 1);
        let store = InMemoryBudgetStore::new();
        let first = Budgets::in_store([], Arc::new(store.clone())).unwrap();
        first.refill([]);
        first.activate();
        let later = first.with([Budget::usd("all", "1").unwrap()]).unwrap();
        let filter = Filter::new();
        let ends_meanwhile = async {
            let began = UtcTime::now();
            while UtcTime::now() <= began {
                spin_loop();
            }
            UtcTime::now()
        };
        // The first is polled first: it has begun to read, and cannot continue before the second has ended.
        let (restored, ended) = tokio::join!(biased; ledger.restore_of(&later, &filter), ends_meanwhile);
        assert_eq!(restored.unwrap().recorded, 1);
        later.activate();
        let mut late = entry();
        (late.began, late.ended) = (ended.before(Duration::from_secs(1)), ended);
        late.recorded = UsdAmount::from_pico(50);
        later.correct(&late, UsdAmount::from_pico(1));
        let settled: Vec<_> = store.accounts().iter().map(|state| state.settled.pico()).collect();
        assert_eq!(settled, [100]);
        drop(fs::remove_dir_all(folder));
    }

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the ledger's own thread answers meanwhile, in real time"
    )]
    async fn an_entry_that_is_forgotten_while_sums_are_read_is_counted() {
        let folder = std::env::temp_dir().join(format!("ledger-forgotten-meanwhile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let ledger = LedgerOptions::sqlite(folder.join("spend.sqlite")).open().await.unwrap();
        let mut known = entry();
        known.recorded = UsdAmount::from_pico(100);
        ledger.record(&known);
        assert_eq!(ledger.close().await.written, 1);
        let store = InMemoryBudgetStore::new();
        let budgets = Budgets::in_store([Budget::usd("all", "1").unwrap()], Arc::new(store.clone())).unwrap();
        let is_forgotten_meanwhile = async {
            // What the first has asked by now is answered before.
            thread::sleep(Duration::from_millis(50));
            let forgetting = || {
                let runtime = runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(ledger.forget_before(known.ended.after(Duration::from_secs(1))))
            };
            thread::scope(|scope| scope.spawn(forgetting).join().unwrap())
        };
        // The first is polled first, and cannot continue before the second has ended.
        let (restored, forgotten) = tokio::join!(biased; ledger.restore(&budgets), is_forgotten_meanwhile);
        assert_eq!((restored.is_ok(), forgotten.unwrap().entries), (true, 1));
        let settled: Vec<_> = store.accounts().iter().map(|state| state.settled.pico()).collect();
        assert_eq!(settled, [100]);
        drop(fs::remove_dir_all(folder));
    }
}
