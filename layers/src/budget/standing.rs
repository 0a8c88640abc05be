//! Whether a budget is still in force, or another one is in its place.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{AccountRef, Budget};
use crate::UtcTime;

/// The budget in force of all that have one name, and were made [with](super::Budgets::with) one another.
#[derive(Debug, Default)]
pub(super) struct Current {
    in_place: RwLock<InPlace>,
    /// When the one in force was made; 0 if none is. All calls read it: what counts by that one takes no lock.
    made: AtomicU64,
}

#[derive(Debug, Default)]
struct InPlace {
    budget: Weak<Budget>,
    /// When it was put in force, as a number that grows with each change: it replaces those that were made before.
    number: u64,
}

impl Current {
    /// This one is in force from this change on; without one, none of the name is.
    pub(super) fn put(&self, budget: Option<&Arc<Budget>>, number: u64) {
        let made = budget.map_or(0, |budget| budget.standing.made);
        let budget = budget.map(Arc::downgrade).unwrap_or_default();
        let mut current = self.in_place.write().unwrap_or_else(PoisonError::into_inner);
        *current = InPlace { budget, number };
        self.made.store(made, Ordering::Release);
    }

    /// The one that is in force.
    pub(super) fn get(&self) -> Option<Arc<Budget>> {
        let current = self.in_place.read().unwrap_or_else(PoisonError::into_inner);
        current.budget.upgrade()
    }

    /// The same, if it has the place of this one.
    fn instead_of(&self, own: &Budget) -> Option<Arc<Budget>> {
        let made = self.made.load(Ordering::Acquire);
        if made == 0 || made == own.standing.made {
            return None;
        }
        let current = self.in_place.read().unwrap_or_else(PoisonError::into_inner);
        let is_made_later = own.standing.made >= current.number;
        if is_made_later { None } else { current.budget.upgrade() }
    }
}

/// How a budget stands beside others of its name: no part of what it is, so budgets are equal without it.
#[derive(Clone, Default)]
pub(super) struct Standing {
    pub(super) current: Option<Arc<Current>>,
    /// When it was made, as a number that grows with each change.
    pub(super) made: u64,
    /// Since when budgets that count like it are in force; of one that is not yet, since when it is made.
    pub(super) since: Option<UtcTime>,
}

impl PartialEq for Standing {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Standing {}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").finish_non_exhaustive()
    }
}

impl Budget {
    /// Since when a budget of this name, scope and window is in force in this process; of one that was not put in force yet, when it became one of
    /// [`Budgets`](super::Budgets). `None` if it is in none. Of two processes whose settings give one budget different windows, the later time decides
    /// whose window an account in a shared store has.
    #[must_use]
    pub const fn in_force_since(&self) -> Option<UtcTime> {
        self.standing.since
    }

    /// The budget that is in force in the place of this one, and has this account; `None` if it is this one, if this one was made later and is not in force
    /// yet, or if there is none.
    pub(super) fn replacement(&self, account: &str) -> Option<Arc<Self>> {
        let other = self.standing.current.as_ref()?.instead_of(self)?;
        other.owns(account).then_some(other)
    }
}

impl AccountRef {
    /// If another budget has been [put in force](super::Budgets::activate) in the place of its own, and has this account, takes that one. A store does so
    /// at each decision and at each settlement: what an attempt spends that began before counts in the window, and under the cap, that the account has
    /// now.
    pub fn use_budget_in_force(&mut self) {
        if let Some(budget) = self.budget.replacement(&self.account) {
            self.budget = budget;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::budget::{Budget, Budgets};

    /// Each call looks several times for each of its budgets.
    #[test]
    fn what_counts_by_the_budget_in_force_takes_no_lock() {
        let made = || [Budget::usd("x", "1").unwrap()];
        let first = Budgets::new(made()).unwrap();
        let own = first.iter().next().unwrap();
        let current = own.standing.current.as_deref().unwrap();
        {
            let _changing = current.in_place.write().unwrap();
            assert!(own.replacement("x").is_none(), "none is in force");
        }
        first.activate();
        {
            let _changing = current.in_place.write().unwrap();
            assert!(own.replacement("x").is_none(), "it is in force itself");
        }
        let second = first.with(made()).unwrap();
        second.activate();
        assert!(own.replacement("x").is_some());
        let other = second.iter().next().unwrap();
        let _changing = current.in_place.write().unwrap();
        assert!(other.replacement("x").is_none());
    }
}
