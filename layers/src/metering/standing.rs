//! Gauges of what stands by itself, set whenever they are to be read: how budgets stand, and what waits for a ledger.

#[cfg(feature = "cost")]
use std::collections::{BTreeMap, BTreeSet};

#[cfg(feature = "cost")]
use metrics::SharedString;

#[cfg(feature = "cost")]
use super::{
    bounded::{Bounded, OTHER},
    facade::label,
};
use super::{
    facade::{Labels, set},
    names,
};
#[cfg(feature = "cost")]
use crate::{budget::AccountState, util::Lock};

/// Records how budgets stand: of each budget the account that has the least left. A window that ends changes an account while nothing is
/// called, so these gauges are set when they are read, e.g. before each scrape. A thousand names are distinguished; the rest is `other`.
///
/// The gauges of a budget that is not among them any more keep their last values: if budgets change while the process lives, use [`BudgetGauges`].
///
/// ```
/// use tower_llm_layers::{budget::InMemoryBudgetStore, observe};
///
/// let accounts = InMemoryBudgetStore::new(); // the one that the stack has
/// observe::record_budgets(&accounts.accounts());
/// ```
#[cfg(feature = "cost")]
pub fn record_budgets(accounts: &[AccountState]) {
    show(accounts);
}

/// Records how the budgets of one store stand, as [`record_budgets`] does, and sets the gauges of a budget that it has recorded before and that is gone
/// to NaN, so that no alert on it lasts. Keep one for each store; `other` is shared by all, and stays.
///
/// ```
/// use tower_llm_layers::{budget::InMemoryBudgetStore, observe::BudgetGauges};
///
/// let accounts = InMemoryBudgetStore::new(); // the one that the stack has
/// let gauges = BudgetGauges::default();
/// gauges.record(&accounts.accounts()); // before each scrape
/// ```
#[cfg(feature = "cost")]
#[derive(Debug, Default)]
pub struct BudgetGauges {
    /// The labels that were recorded last.
    shown: Lock<BTreeSet<SharedString>>,
}

#[cfg(feature = "cost")]
impl BudgetGauges {
    /// Records these accounts: all of the store.
    pub fn record(&self, accounts: &[AccountState]) {
        let mut shown = self.shown.lock();
        let now = show(accounts);
        for gone in shown.difference(&now).filter(|label| &***label != OTHER) {
            set_budget(gone.clone(), [f64::NAN; 4]);
        }
        *shown = now;
    }
}

/// Sets the gauges, and returns the labels of the budgets.
#[cfg(feature = "cost")]
fn show(accounts: &[AccountState]) -> BTreeSet<SharedString> {
    static BUDGETS: Bounded = Bounded::of_names();
    let mut shown = BTreeSet::new();
    for (name, account) in fullest(&BUDGETS, accounts) {
        let amounts = [account.budget.cap(), account.spent(), account.reserved, account.free()];
        set_budget(name.clone(), amounts.map(crate::UsdAmount::in_dollars));
        shown.insert(name);
    }
    shown
}

/// Of each budget, by its label, the account that has the least left.
#[cfg(feature = "cost")]
fn fullest<'a>(names: &Bounded, accounts: &'a [AccountState]) -> BTreeMap<SharedString, &'a AccountState> {
    let by_name = least_left(accounts.iter().map(|account| (account.budget.name(), account)));
    least_left(by_name.into_iter().map(|(name, account)| (names.label(name), account)))
}

/// Of each key the account that has the least left.
#[cfg(feature = "cost")]
fn least_left<'a, K: Ord>(accounts: impl Iterator<Item = (K, &'a AccountState)>) -> BTreeMap<K, &'a AccountState> {
    let mut least = BTreeMap::new();
    for (key, account) in accounts {
        let known = least.entry(key).or_insert(account);
        if account.free() < known.free() {
            *known = account;
        }
    }
    least
}

#[cfg(feature = "cost")]
fn set_budget(name: SharedString, amounts: [f64; 4]) {
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

/// Records what waits to be written to a ledger, and what it has lost in all: e.g. before each scrape.
pub fn record_ledger(waiting: usize, lost: u64) {
    let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
    set(names::LEDGER_WAITING, &Labels::new(), waiting);
    metrics::counter!(names::LEDGER_LOST).absolute(lost);
}

#[cfg(all(test, feature = "cost"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        Tags, UsdAmount, UtcTime,
        budget::{Budget, BudgetStore as _, Budgets, InMemoryBudgetStore},
    };

    #[test]
    fn names_are_bounded_and_of_the_rest_the_least_left_is_shown() {
        let store = InMemoryBudgetStore::new();
        let budgets = (0..2_000).map(|number| Budget::usd(&format!("key-{number}"), "1").unwrap());
        let budgets = Budgets::in_store(budgets, Arc::new(store.clone())).unwrap();
        let lines = budgets.lines(&Tags::default(), "", "");
        store.adjust(&lines, UsdAmount::from_pico(5), UtcTime::now());
        let accounts = store.accounts();
        let names = Bounded::of_names();
        let shown = fullest(&names, &accounts);
        assert_eq!((accounts.len(), shown.len()), (2_000, 1_001));
        assert_eq!(shown[&SharedString::const_str(OTHER)].settled, UsdAmount::from_pico(5));
    }
}
