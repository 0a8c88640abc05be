//! Gauges of what stands by itself, set whenever they are to be read: how budgets stand, and what waits for a ledger.

#[cfg(feature = "cost")]
use super::facade::shared;
use super::{
    facade::{Labels, set},
    names,
};

/// Records how budgets stand: of each budget the account that has the least left. A window that ends changes an account while nothing is
/// called, so these gauges are set when they are read, e.g. before each scrape.
///
/// ```
/// use tower_llm_layers::{budget::InMemoryBudgetStore, observe};
///
/// let accounts = InMemoryBudgetStore::new(); // the one that the stack has
/// observe::record_budgets(&accounts.accounts());
/// ```
#[cfg(feature = "cost")]
pub fn record_budgets(accounts: &[crate::budget::AccountState]) {
    use std::collections::BTreeMap;

    let mut fullest = BTreeMap::new();
    for account in accounts {
        let known = fullest.entry(account.budget.name()).or_insert(account);
        if account.free() < known.free() {
            *known = account;
        }
    }
    for (budget, account) in fullest {
        let labels = vec![shared(names::BUDGET, budget)];
        let spent = account.settled.saturating_add(account.overrun);
        for (name, amount) in [
            (names::BUDGET_CAP, account.budget.cap()),
            (names::BUDGET_SPENT, spent),
            (names::BUDGET_RESERVED, account.reserved),
            (names::BUDGET_LEFT, account.free()),
        ] {
            set(name, &labels, amount.in_dollars());
        }
    }
}

/// Records what waits to be written to a ledger, and what it has lost in all: e.g. before each scrape.
pub fn record_ledger(waiting: usize, lost: u64) {
    let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
    set(names::LEDGER_WAITING, &Labels::new(), waiting);
    metrics::counter!(names::LEDGER_LOST).absolute(lost);
}
