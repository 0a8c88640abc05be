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
    known: Option<Arc<[Known]>>,
    /// When budgets that are not in force yet were refilled, by name.
    refilled: HashMap<Box<str>, UtcTime>,
}

/// A budget in force.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) budget: Arc<Budget>,
    /// When it came into force; `None` if it was among the first.
    since: Option<UtcTime>,
    /// When it was refilled, before it came into force.
    refilled: Option<UtcTime>,
}

impl InForce {
    /// Those that are in force now, if any were put in force.
    pub(super) fn now(&self) -> Option<Arc<[Known]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).known.clone()
    }

    /// These count what was spent until now. Of several pages the first counts: nothing that ended after it is known to all.
    pub(super) fn refilled(&self, budgets: &[Arc<Budget>]) {
        let now = UtcTime::now();
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for budget in budgets {
            state.refilled.entry(budget.name().into()).or_insert(now);
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
                Some(None) => (Some(now), refilled.get(budget.name()).copied()),
            };
            Known {
                budget: Arc::clone(budget),
                since,
                refilled,
            }
        });
        state.known = Some(known.collect());
    }
}

impl Known {
    /// Whether the recorded cost of the entry was counted on it: it was in force when the attempt began, or was refilled with what had ended
    /// before.
    pub(super) fn has_counted(&self, entry: &Entry) -> bool {
        let is_refilled = || self.refilled.is_some_and(|at| entry.ended <= at);
        self.since.is_none_or(|since| entry.began >= since || is_refilled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Window;

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
