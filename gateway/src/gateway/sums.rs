//! What the entries of a ledger add up to on the accounts of budgets, before it is spent on the accounts themselves.

use std::{
    collections::{BTreeMap, HashMap},
    slice::from_ref,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout_at};
use tower_openrouter::{
    UsdAmount,
    layers::{
        UtcTime,
        budget::{AccountRef, Budget, BudgetStore, Budgets, Decision, InMemoryBudgetStore, ReserveRequest, Window},
    },
    redis::RedisBudgets,
};

/// How exact the times are that are kept for a window that rolls, in milliseconds.
const SECOND: u64 = 1_000;

/// Accounts in the shared store whose sums are on their way at once.
const AT_ONCE: usize = 1_000;

/// How long the shared store may take to take them. What it has not taken by then, it takes later.
const TAKEN: Duration = Duration::from_secs(10);

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
    /// Takes them out, each with its account as these budgets have it: the account follows those that are put in force in their place later.
    fn take(&self, budgets: &Budgets) -> Vec<(AccountRef, BTreeMap<UtcTime, UsdAmount>)> {
        let sums = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let with_line = |(account, Sum { budget, spent }): (Box<str>, Sum)| {
            let line = budgets.line(&account);
            (line.unwrap_or_else(|| AccountRef::new(budget, account)), spent)
        };
        sums.into_iter().map(with_line).collect()
    }

    /// Makes what was spent on the accounts of these budgets in the shared store at least this, however many gateways do so.
    pub(super) async fn refill_to(&self, store: &RedisBudgets, budgets: &Budgets) {
        let until = Instant::now() + TAKEN;
        let mut sums = self.take(budgets).into_iter().peekable();
        let mut is_late = false;
        while sums.peek().is_some() {
            for (line, spent) in sums.by_ref().take(AT_ONCE) {
                store.refill_to(&line, spent);
            }
            if !is_late && timeout_at(until, store.flush()).await.is_err() {
                is_late = true;
                tracing::warn!(target: "gateway", "the shared store did not take in {TAKEN:?} what the ledger says was spent: it is delivered later");
            }
        }
    }

    /// Spends all of it on the accounts of these budgets in this store.
    pub(super) fn spend_in(&self, store: &InMemoryBudgetStore, budgets: &Budgets) {
        for (line, spent) in self.take(budgets) {
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
    use tower_openrouter::Tags;

    use super::*;

    #[test]
    fn sums_count_in_their_windows_as_the_single_amounts_do() {
        let now = UtcTime::now();
        let second = Duration::from_secs(1);
        for window in [Window::Day, Window::Ever, Window::Rolling(1_000 * second)] {
            let (store, sums) = (InMemoryBudgetStore::new(), Sums::default());
            let budget = Budget::usd("all", "1").unwrap().per(window);
            let budgets = Budgets::in_store([budget], Arc::new(sums.clone())).unwrap();
            let lines = budgets.lines(&Tags::default(), "", "");
            let most = if window == Window::Ever { 4 } else { 3 };
            for at in [now, now, now.before(second / 1_000), now.before(100_000 * second)] {
                sums.adjust(&lines, UsdAmount::from_pico(1), at);
            }
            sums.spend_in(&store, &budgets);
            let spent = store.account(lines.first().unwrap()).unwrap().settled;
            assert_eq!(spent, UsdAmount::from_pico(most), "{window:?}");
        }
    }
}
