//! Which budgets are in force, of all that were made over the same accounts: late bills are counted on them.

use std::sync::{Arc, PoisonError, RwLock};

use super::Budget;
use crate::{UtcTime, ledger::Entry};

/// The budgets in force, shared by all that were made [with](super::Budgets::with) one another. Empty until some are put in force.
#[derive(Debug, Clone, Default)]
pub(super) struct InForce(Arc<RwLock<Option<Arc<[Known]>>>>);

/// A budget in force.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) budget: Arc<Budget>,
    /// When it came into force; `None` if it was among the first.
    since: Option<UtcTime>,
}

impl InForce {
    /// Those that are in force now, if any were put in force.
    pub(super) fn now(&self) -> Option<Arc<[Known]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts these in the place of those before. One of a name that was there keeps its time.
    pub(super) fn put(&self, budgets: &[Arc<Budget>]) {
        let mut in_force = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let now = UtcTime::now();
        let since = |budget: &Arc<Budget>| {
            let before = in_force.as_deref()?;
            let known = before.iter().find(|known| known.budget.name() == budget.name());
            known.map_or(Some(now), |known| known.since)
        };
        let known = budgets.iter().map(|budget| Known {
            budget: Arc::clone(budget),
            since: since(budget),
        });
        let known: Arc<[Known]> = known.collect();
        *in_force = Some(known);
    }
}

impl Known {
    /// Whether the recorded cost of the entry was counted on it: it was in force when the attempt began, or was refilled with what had ended
    /// before.
    pub(super) fn has_counted(&self, entry: &Entry, is_refilled: bool) -> bool {
        self.since
            .is_none_or(|since| entry.began >= since || (is_refilled && entry.ended <= since))
    }
}
