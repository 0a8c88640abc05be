//! What stood on accounts of this process before a ledger was read: the ledger has it as well.

use std::sync::Arc;

use super::{AccountRef, InMemoryBudgetStore, slot::Slot};
use crate::{UsdAmount, UtcTime};

/// What stood on one account at a time, to be taken back later: see [`InMemoryBudgetStore::spent_before`].
#[derive(Debug)]
pub struct SpentBefore {
    line: AccountRef,
    /// While it is held, the account is not forgotten.
    slot: Arc<Slot>,
    spent: UsdAmount,
    /// All that was ever spent on the account by then.
    total: UsdAmount,
}

impl InMemoryBudgetStore {
    /// What stands now on every account that was opened for a budget of this name, whatever its scope was. For a
    /// [refill](super::Budgets::refill) of accounts that do not begin empty: [taken back](SpentBefore::take_back) before it, nothing of the ledger is
    /// counted twice.
    #[must_use]
    pub fn spent_before(&self, budget: &str) -> Vec<SpentBefore> {
        let at = UtcTime::now();
        let note = |(line, slot): (AccountRef, Arc<Slot>)| {
            let period = line.budget.period(at);
            let (spent, total) = {
                let mut account = slot.lock();
                account.roll(period);
                (account.spent(), account.total)
            };
            SpentBefore {
                line,
                slot,
                spent,
                total,
            }
        };
        self.slots_of(budget).into_iter().map(note).collect()
    }
}

impl SpentBefore {
    /// Takes back what still stands of it. What was spent since stays, also if the account has begun empty since, e.g. in the window of a budget that
    /// was [put in force](super::Budgets::activate).
    pub fn take_back(self) {
        let Self {
            mut line,
            slot,
            spent,
            total,
        } = self;
        line.use_budget_in_force();
        let period = line.budget.period(UtcTime::now());
        {
            let mut account = slot.lock();
            account.roll(period);
            account.take_back_before(spent, total);
        }
        slot.queue().wake_first();
    }
}
