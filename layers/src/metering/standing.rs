//! Gauges of what stands by itself, set whenever they are to be read: how budgets stand, and what waits for a ledger.

#[cfg(feature = "cost")]
use super::{bounded::Bounded, facade::label};
use super::{
    facade::{Labels, set},
    names,
};

/// Records how budgets stand: of each budget the account that has the least left. A window that ends changes an account while nothing is
/// called, so these gauges are set when they are read, e.g. before each scrape. Those of a budget that is not among them any more are set to NaN, so
/// that no alert on it lasts. A thousand names are distinguished; the rest is `other`.
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

    static BUDGETS: Bounded = Bounded::of_names();
    let mut fullest = BTreeMap::new();
    for account in accounts {
        let name = BUDGETS.label(account.budget.name());
        let known = fullest.entry(name).or_insert(account);
        if account.free() < known.free() {
            *known = account;
        }
    }
    let gone = BUDGETS.labels().into_iter().map(metrics::SharedString::from);
    let gone: Vec<_> = gone.filter(|name| !fullest.contains_key(name)).collect();
    let standing = fullest.into_iter().map(|(name, account)| {
        let spent = account.settled.saturating_add(account.overrun);
        let amounts = [account.budget.cap(), spent, account.reserved, account.free()];
        (name, amounts.map(crate::UsdAmount::in_dollars))
    });
    for (name, amounts) in standing.chain(gone.into_iter().map(|name| (name, [f64::NAN; 4]))) {
        let labels = vec![label(names::BUDGET, name)];
        let gauges = [
            names::BUDGET_CAP,
            names::BUDGET_SPENT,
            names::BUDGET_RESERVED,
            names::BUDGET_LEFT,
        ];
        for (gauge, amount) in gauges.into_iter().zip(amounts) {
            set(gauge, &labels, amount);
        }
    }
}

/// Records what waits to be written to a ledger, and what it has lost in all: e.g. before each scrape.
pub fn record_ledger(waiting: usize, lost: u64) {
    let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
    set(names::LEDGER_WAITING, &Labels::new(), waiting);
    metrics::counter!(names::LEDGER_LOST).absolute(lost);
}
