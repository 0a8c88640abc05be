//! Which budgets are in force, of all that were made over the same accounts: late bills are counted on them.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::Budget;
use crate::{UtcTime, ledger::Entry};

/// The budgets in force, shared by all that were made [with](super::Budgets::with) one another. Empty until some are put in force.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<[ActiveBudget]>>,
    /// Budgets that were refilled and are not in force yet, by name, and when.
    refilled: HashMap<Box<str>, (Arc<Budget>, UtcTime)>,
}

/// A budget in force.
#[derive(Debug, Clone)]
pub(super) struct ActiveBudget {
    pub(super) budget: Arc<Budget>,
    /// When it came into force; `None` if it was among the first.
    since: Option<UtcTime>,
    /// When it was refilled, before it came into force.
    refilled: Option<UtcTime>,
}

impl InForce {
    /// Those that are in force now, if any were put in force.
    pub(super) fn now(&self) -> Option<Arc<[ActiveBudget]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.clone()
    }

    /// These count what was spent until now. Of several pages the first counts: nothing that ended after it is known to all. A budget that was made
    /// again begins again: what was refilled before never came into force.
    pub(super) fn refilled(&self, budgets: &[Arc<Budget>]) {
        let now = UtcTime::now();
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for budget in budgets {
            let known = state.refilled.get(budget.name());
            if known.is_none_or(|(known, _)| !Arc::ptr_eq(known, budget)) {
                let refilled = (Arc::clone(budget), now);
                state.refilled.insert(budget.name().into(), refilled);
            }
        }
    }

    /// Puts these in the place of those before. One that was there, with the same scope and window, keeps its times.
    pub(super) fn put(&self, budgets: &[Arc<Budget>]) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = UtcTime::now();
        let refilled = std::mem::take(&mut state.refilled);
        let before = state.known.take();
        let known = budgets.iter().map(|budget| {
            let before = before.as_deref();
            let same = before.map(|before| before.iter().find(|known| known.budget.counts_like(budget)));
            let (since, refilled) = match same {
                None => (None, None),
                Some(Some(known)) => (known.since, known.refilled),
                Some(None) => (Some(now), refilled.get(budget.name()).map(|(_, at)| *at)),
            };
            ActiveBudget {
                budget: Arc::clone(budget),
                since,
                refilled,
            }
        });
        state.known = Some(known.collect());
    }
}

impl ActiveBudget {
    /// Whether the recorded cost of the entry was counted on it: it was in force when the attempt began, or was refilled with what had ended
    /// before.
    pub(super) fn has_counted(&self, entry: &Entry) -> bool {
        let is_refilled = || self.refilled.is_some_and(|at| entry.ended <= at);
        self.since.is_none_or(|since| entry.began >= since || is_refilled())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;
    use crate::budget::Window;

    #[tokio::test(start_paused = true)]
    async fn a_refill_that_never_came_into_force_is_replaced_by_the_next_one() {
        let in_force = InForce::default();
        let made = || [Arc::new(Budget::usd("x", "1").unwrap())];
        let minute = Duration::from_secs(60);
        in_force.put(&[]);
        // The settings that it was made for are refused.
        in_force.refilled(&made());
        advance(minute).await;
        let (again, at) = (made(), UtcTime::now());
        in_force.refilled(&again);
        advance(minute).await;
        in_force.refilled(&again);
        in_force.put(&made());
        let known = in_force.now().unwrap();
        assert_eq!(known[0].refilled, Some(at), "the first page of the last refill");
    }

    #[test]
    fn a_budget_keeps_its_time_if_its_accounts_are_the_same() {
        let budget = || Budget::usd("x", "1").unwrap().per(Window::Day);
        let in_force = InForce::default();
        let since = |budget: Budget| {
            in_force.put(&[Arc::new(budget)]);
            in_force.now().unwrap()[0].since
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
}
