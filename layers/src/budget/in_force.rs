//! Which budgets are in force, of all that were made over the same accounts: late bills are counted on them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    Budget,
    set::BudgetSet,
    standing::{Current, Standing},
};
use crate::{UtcTime, ledger::Entry};

/// The budgets in force, shared by all that were made [with](super::Budgets::with) one another. Empty until some are put in force.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<ActiveBudgets>>,
    /// Which budget of each name is in force, as all budgets of that name see it.
    current: HashMap<Box<str>, Arc<Current>>,
    /// How often budgets were made or put in force.
    changes: u64,
    /// Budgets that were refilled and are not in force yet, by name, and when.
    refilled: HashMap<Box<str>, (Arc<Budget>, UtcTime)>,
}

/// Budgets in force.
#[derive(Debug)]
pub(super) struct ActiveBudgets {
    pub(super) budgets: Arc<BudgetSet>,
    /// Of each of them, in their order.
    times: Box<[Times]>,
}

/// Since when a budget counts.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    /// When it came into force; `None` if it was among the first.
    since: Option<UtcTime>,
    /// When it was refilled, before it came into force.
    refilled: Option<UtcTime>,
}

impl InForce {
    /// Those that are in force now, if any were put in force.
    pub(super) fn now(&self) -> Option<Arc<ActiveBudgets>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.clone()
    }

    /// Budgets that are made follow the one in force of their names from now on.
    pub(super) fn link(&self, budgets: &mut [Budget]) {
        let now = UtcTime::now();
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.changes += 1;
        let made = state.changes;
        for budget in budgets {
            let current = Arc::clone(state.current.entry(budget.name().into()).or_default());
            let same = current.get().filter(|known| known.counts_like(budget));
            let since = same.and_then(|known| known.in_force_since()).or(Some(now));
            let current = Some(current);
            budget.standing = Standing { current, made, since };
        }
    }

    /// These count what was spent until now. Of several pages the first counts: nothing that ended after it is known to all. A budget that was made
    /// again begins again: what was refilled before never came into force.
    pub(super) fn refilled(&self, budgets: &BudgetSet) {
        let now = UtcTime::now();
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for budget in budgets.iter() {
            let known = state.refilled.get(budget.name());
            if known.is_none_or(|(known, _)| !Arc::ptr_eq(known, budget)) {
                let refilled = (Arc::clone(budget), now);
                state.refilled.insert(budget.name().into(), refilled);
            }
        }
    }

    /// Puts these in the place of those before. One that was there, with the same scope and window, keeps its times.
    pub(super) fn put(&self, budgets: &Arc<BudgetSet>) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = UtcTime::now();
        let refilled = std::mem::take(&mut state.refilled);
        let before = state.known.take();
        let times = budgets.iter().map(|budget| {
            let Some(before) = before.as_deref() else {
                return Times::default();
            };
            before.times_of(budget).unwrap_or_else(|| Times {
                since: Some(now),
                refilled: refilled.get(budget.name()).map(|(_, at)| *at),
            })
        });
        let times = times.collect();
        state.changes += 1;
        for (name, current) in &state.current {
            current.put(budgets.named(name), state.changes);
        }
        // Of the others, no budget is left.
        state.current.retain(|_, current| Arc::strong_count(current) > 1);
        let budgets = Arc::clone(budgets);
        state.known = Some(Arc::new(ActiveBudgets { budgets, times }));
    }
}

impl ActiveBudgets {
    /// The times of the one that counts like this budget.
    fn times_of(&self, budget: &Budget) -> Option<Times> {
        let number = self.budgets.number(budget.name())?;
        let known = self.budgets.named(budget.name())?;
        let times = self.times.get(number).copied();
        times.filter(|_| known.counts_like(budget))
    }

    /// Whether the recorded cost of the entry was counted on the budget of this name: it was in force when the attempt began, or was refilled with what had
    /// ended before.
    pub(super) fn have_counted(&self, budget: &str, entry: &Entry) -> bool {
        let times = self.budgets.number(budget).and_then(|number| self.times.get(number));
        times.is_some_and(|times| {
            let is_refilled = || times.refilled.is_some_and(|at| entry.ended <= at);
            times.since.is_none_or(|since| entry.began >= since || is_refilled())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::budget::Window;

    fn set(budgets: impl IntoIterator<Item = Budget>) -> Arc<BudgetSet> {
        Arc::new(BudgetSet::new(budgets).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_refill_that_never_came_into_force_is_replaced_by_the_next_one() {
        let in_force = InForce::default();
        let made = || set([Budget::usd("x", "1").unwrap()]);
        let minute = Duration::from_secs(60);
        in_force.put(&set([]));
        // The settings that it was made for are refused.
        in_force.refilled(&made());
        advance(minute).await;
        let (again, at) = (made(), UtcTime::now());
        in_force.refilled(&again);
        advance(minute).await;
        in_force.refilled(&again);
        in_force.put(&made());
        let known = in_force.now().unwrap();
        assert_eq!(known.times[0].refilled, Some(at), "the first page of the last refill");
    }

    #[test]
    fn a_budget_keeps_its_time_if_its_accounts_are_the_same() {
        let budget = || Budget::usd("x", "1").unwrap().per(Window::Day);
        let in_force = InForce::default();
        let since = |budget: Budget| {
            in_force.put(&set([budget]));
            in_force.now().unwrap().times[0].since
        };
        assert_eq!(since(budget()), None, "among the first");
        assert_eq!(
            since(Budget::usd("x", "2").unwrap().per(Window::Day)),
            None,
            "another amount"
        );
        assert!(since(budget().each("team")).is_some(), "other accounts");
        assert!(since(budget().per(Window::Month)).is_some(), "another window");
    }

    /// Each name is looked up: each budget compared with each would take long here.
    #[tokio::test(start_paused = true)]
    async fn many_budgets_are_put_in_force_in_linear_time_and_keep_their_time() {
        let in_force = InForce::default();
        let made = || {
            let name = |number: u32| Budget::usd(&format!("key/{number}"), "1").unwrap();
            let mut budgets: Vec<_> = (0..50_000).map(name).collect();
            in_force.link(&mut budgets);
            set(budgets)
        };
        let first = made();
        in_force.put(&first);
        let began = UtcTime::now();
        advance(Duration::from_secs(60)).await;
        let second = made();
        in_force.put(&second);
        let last = second.named("key/49999").unwrap();
        assert_eq!(last.in_force_since(), Some(began), "it counts as the one before did");
        let replaced = first.named("key/49999").unwrap().replacement("key/49999").unwrap();
        assert!(Arc::ptr_eq(&replaced, last));
        assert!(last.replacement("key/49999").is_none());
        // What was removed keeps its own rules.
        in_force.put(&set([]));
        assert!(last.replacement("key/49999").is_none());
        drop((first, second, replaced));
        in_force.put(&set([]));
        assert!(
            in_force.0.read().unwrap().current.is_empty(),
            "no budget of these names is left"
        );
    }
}
