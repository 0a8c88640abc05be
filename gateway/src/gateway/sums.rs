//! What the entries of a ledger add up to on the accounts of budgets, before it is spent on the accounts themselves.

use std::{
    collections::{BTreeMap, HashMap},
    slice::from_ref,
    sync::{Arc, Mutex, PoisonError},
};

use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        budget::{AccountRef, Budget, BudgetStore, Decision, InMemoryBudgetStore, ReserveRequest, Window},
    },
};

/// How exact the times are that are kept for a window that rolls, in milliseconds.
const SECOND: u64 = 1_000;

/// A store that keeps only the sums of what is spent in it. Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums(Arc<Mutex<HashMap<Box<str>, Sum>>>);

/// What was spent on an account, by the time at which it counts: one for each window, of one that rolls one for each second.
#[derive(Debug)]
struct Sum {
    budget: Arc<Budget>,
    spent: BTreeMap<UtcTime, UsdAmount>,
}

impl Sums {
    /// Spends all of it on the accounts in this store.
    pub(super) fn spend_in(&self, store: &InMemoryBudgetStore) {
        let sums = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (account, Sum { budget, spent }) in sums {
            let line = AccountRef::new(budget, account);
            for (at, amount) in spent {
                store.refill(from_ref(&line), amount, at);
            }
        }
    }
}

impl BudgetStore for Sums {
    fn reserve(&self, ask: ReserveRequest) -> Decision {
        // No call is made with it.
        InMemoryBudgetStore::new().reserve(ask)
    }

    fn adjust(&self, lines: &[AccountRef], by: UsdAmount, at: UtcTime) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            let when = match line.budget.window() {
                Window::Rolling(_) => UtcTime::from_millis(at.millis().div_ceil(SECOND) * SECOND),
                _ => line.budget.window_start(at),
            };
            let sum = sums.entry(line.account.clone()).or_insert_with(|| Sum {
                budget: Arc::clone(&line.budget),
                spent: BTreeMap::new(),
            });
            let spent = sum.spent.entry(when).or_default();
            *spent = spent.saturating_add(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_openrouter::{Tags, layers::budget::Budgets};

    use super::*;

    #[test]
    fn sums_count_in_their_windows_as_the_single_amounts_do() {
        let now = UtcTime::now();
        let second = std::time::Duration::from_secs(1);
        for window in [Window::Day, Window::Ever, Window::Rolling(1_000 * second)] {
            let (store, sums) = (InMemoryBudgetStore::new(), Sums::default());
            let budget = Budget::usd("all", "1").unwrap().per(window);
            let budgets = Budgets::in_store([budget], Arc::new(sums.clone())).unwrap();
            let lines = budgets.lines(&Tags::default(), "", "");
            let most = if window == Window::Ever { 4 } else { 3 };
            for at in [now, now, now.before(second / 1_000), now.before(100_000 * second)] {
                sums.adjust(&lines, UsdAmount::from_pico(1), at);
            }
            sums.spend_in(&store);
            let spent = store.account(lines.first().unwrap()).unwrap().settled;
            assert_eq!(spent, UsdAmount::from_pico(most), "{window:?}");
        }
    }
}
