//! All budgets of a service, over one store.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::Instant;

use super::{
    AccountRef, Budget, BudgetError, BudgetStore, Decision, InMemoryBudgetStore, ReserveRequest,
    in_force::InForce,
    lines::{DistinctLines, beyond},
    set::BudgetSet,
};
use crate::{Candidate, PriceList, Tags, UsdAmount, UtcTime, ledger::Entry};

/// All budgets of a service, and the store of their accounts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budgets {
    budgets: Arc<BudgetSet>,
    store: Arc<dyn BudgetStore>,
    /// Whether the accounts know what was spent before a restart.
    is_refilled: Arc<AtomicBool>,
    /// The list that knows each model by one name.
    names: Arc<RwLock<Option<Arc<dyn PriceList>>>>,
    /// Which are in force, of all over these accounts.
    in_force: InForce,
}

impl Budgets {
    /// These, with their accounts in this process.
    ///
    /// # Errors
    ///
    /// If two have the same name, or the window of one is invalid.
    pub fn new(budgets: impl IntoIterator<Item = Budget>) -> Result<Self, BudgetError> {
        Self::in_store(budgets, Arc::new(InMemoryBudgetStore::new()))
    }

    /// The same with their accounts in this store.
    ///
    /// # Errors
    ///
    /// If two have the same name, or the window of one is invalid.
    pub fn in_store(
        budgets: impl IntoIterator<Item = Budget>,
        store: Arc<dyn BudgetStore>,
    ) -> Result<Self, BudgetError> {
        Self::linked(budgets, store, InForce::default())
    }

    /// The same, among those that have been put in force there.
    fn linked(
        budgets: impl IntoIterator<Item = Budget>,
        store: Arc<dyn BudgetStore>,
        in_force: InForce,
    ) -> Result<Self, BudgetError> {
        let mut budgets: Vec<_> = budgets.into_iter().collect();
        in_force.link(&mut budgets);
        Ok(Self {
            budgets: Arc::new(BudgetSet::new(budgets)?),
            store,
            is_refilled: Arc::default(),
            names: Arc::default(),
            in_force,
        })
    }

    /// Other budgets over the same accounts: what was spent and reserved stays, under its name and its tags. These stay as they are.
    ///
    /// An account whose new window began later than its old one begins empty. Once these are [put in force](Self::activate), a call that began under the
    /// budgets before is counted on each account that these have as well: in their window, and under their cap.
    ///
    /// # Errors
    ///
    /// If two have the same name, or the window of one is invalid.
    pub fn with(&self, budgets: impl IntoIterator<Item = Budget>) -> Result<Self, BudgetError> {
        let mut others = Self::linked(budgets, Arc::clone(&self.store), self.in_force.clone())?;
        others.is_refilled = Arc::clone(&self.is_refilled);
        others.names = Arc::clone(&self.names);
        Ok(others)
    }

    /// Puts these in force, of all that were made [with](Self::with) one another: late bills are counted on them from now on, whichever of the
    /// others is [corrected](Self::correct), and so is what calls in progress spend on an account that these have as well. A
    /// [reconciler](crate::reconcile) that holds the budgets of the start so follows those that replace them.
    pub fn activate(&self) {
        self.in_force.put(&self.budgets);
    }

    /// The budgets.
    pub fn iter(&self) -> impl Iterator<Item = &Budget> {
        self.budgets.iter().map(|budget| &**budget)
    }

    /// Counts models under their [names on this list](PriceList::listed_as), clones of these budgets included. The
    /// [cost layer](crate::cost::CostLayer) does so with its prices; call it before accounts are [refilled](Self::refill) or restored, so that
    /// what was spent before a restart is counted under the same names.
    pub fn use_model_names_of(&self, list: Arc<dyn PriceList>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Some(list);
    }

    /// Whether a budget asks for the model.
    pub(crate) fn count_models(&self) -> bool {
        self.budgets.counts_models()
    }

    fn names(&self) -> Option<Arc<dyn PriceList>> {
        self.names.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The accounts that an attempt is recorded on.
    #[must_use]
    pub fn lines(&self, tags: &Tags, upstream: &str, model: &str) -> Vec<AccountRef> {
        let mut lines = Vec::new();
        self.each_line(tags, upstream, model, false, |line| lines.push(line));
        lines
    }

    /// Gives them one by one; without those that are the same for every model, if it is `only_by_model`.
    fn each_line(
        &self,
        tags: &Tags,
        upstream: &str,
        model: &str,
        only_by_model: bool,
        mut take: impl FnMut(AccountRef),
    ) {
        let names = self.count_models().then(|| self.names()).flatten();
        let listed = |model: &str| {
            let names = names.as_ref()?;
            names.listed_as(&Candidate::new(upstream, model).ok()?)
        };
        let name = listed(model);
        let model = name.as_deref().unwrap_or(model);
        self.budgets.for_each_that_may_apply(tags, |budget| {
            if only_by_model && !budget.asks_for_model() {
                return;
            }
            if let Some(account) = budget.account(tags, upstream, model, &listed) {
                let budget = Arc::clone(budget);
                let mut line = AccountRef { budget, account };
                line.use_budget_in_force();
                take(line);
            }
        });
    }

    /// Those of an attempt that this model answered: of the requested model and of that one.
    pub(crate) fn lines_of(&self, tags: &Tags, candidate: &Candidate, served: Option<&str>) -> Vec<AccountRef> {
        let served = served.filter(|_| self.count_models());
        let served = served.and_then(|model| self.names()?.served_by(candidate, model));
        let served: Vec<_> = served.iter().map(Candidate::model).collect();
        self.lines_of_all(tags, candidate, &served)
    }

    /// Those of the candidate's model and of each of the others.
    pub(crate) fn lines_of_all<M: AsRef<str>>(
        &self,
        tags: &Tags,
        candidate: &Candidate,
        others: &[M],
    ) -> Vec<AccountRef> {
        let upstream = candidate.upstream();
        let mut lines = DistinctLines::new(self.lines(tags, upstream, candidate.model()));
        for other in others {
            self.each_line(tags, upstream, other.as_ref(), true, |line| lines.push(line));
        }
        lines.into_lines()
    }

    /// Spends on the accounts of `spent` what was spent on those of `held`.
    pub(crate) fn change(&self, held: &[AccountRef], spent: &[AccountRef], by: UsdAmount, at: UtcTime) {
        for (lines, by) in [
            (beyond(held, spent), UsdAmount::ZERO.saturating_sub(by)),
            (beyond(spent, held), by),
        ] {
            if !lines.is_empty() {
                self.store.adjust(&lines, by, at);
            }
        }
    }

    /// The line of an account's key; `None` if it is of none of these budgets.
    #[must_use]
    pub fn line(&self, account: &str) -> Option<AccountRef> {
        let budget = self.budgets.owner_of(account)?;
        let (budget, account) = (Arc::clone(budget), account.into());
        Some(AccountRef { budget, account })
    }

    /// Reserves money for an attempt: see [`BudgetStore::reserve`].
    #[must_use]
    pub fn reserve(&self, ask: ReserveRequest) -> Decision {
        self.store.reserve(ask)
    }

    /// The same for an attempt that can wait until this instant: see [`BudgetStore::reserve_queued`].
    #[must_use]
    pub fn reserve_queued(&self, ask: ReserveRequest, until: Instant) -> Decision {
        self.store.reserve_queued(ask, until)
    }

    /// Whether attempts that wait are served in turn: see [`BudgetStore::has_queue`].
    #[must_use]
    pub fn has_queue(&self) -> bool {
        self.store.has_queue()
    }

    /// Replaces the recorded cost of an entry by its billed cost. The difference counts at the time at which the attempt ended; if that window is over, the
    /// budget does not change.
    ///
    /// It counts on the budgets that were [put in force](Self::activate) last, or on these if none were. A budget that came into force after
    /// the attempt began, and did not count it, gets no money back. An attempt of a call that began under the budgets before, and that begins itself
    /// after they were replaced, is taken for one of the new budgets. An account that was [reset](Self::reset) after the attempt ended gets no money
    /// back either.
    pub fn correct(&self, entry: &Entry, bill: UsdAmount) {
        let by = bill.saturating_sub(entry.recorded);
        if by == UsdAmount::ZERO {
            return;
        }
        let Some(in_force) = self.in_force.now() else {
            return self.store.adjust(&self.lines_of_entry(entry), by, entry.ended);
        };
        let budgets = Self {
            budgets: Arc::clone(&in_force.budgets),
            ..self.clone()
        };
        let mut lines = budgets.lines_of_entry(entry);
        if by.is_negative() {
            lines.retain(|line| in_force.have_counted(line.budget.name(), entry));
        }
        self.store.adjust(&lines, by, entry.ended);
    }

    /// Records what was spent before a restart: every entry of the longest window, in any order. Only for accounts that begin empty,
    /// as those in this process do.
    pub fn refill<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) {
        self.is_refilled.store(true, Ordering::Relaxed);
        self.in_force.refilled(&self.budgets);
        for entry in entries {
            let lines = self.lines_of_entry(entry);
            self.store.refill(&lines, entry.recorded, entry.ended);
        }
    }

    /// Resets one account by hand: what was spent on it in the present window is forgotten; what is reserved stays. The tags say whose account;
    /// `model` and `upstream` stand for the candidate's. Returns whether there is such an account, and the store can do so.
    ///
    /// A ledger still has the entries: accounts in this process that are [refilled](Self::refill) after a restart count them again.
    pub fn reset(&self, budget: &str, tags: &Tags) -> bool {
        let Some(budget) = self.budgets.named(budget) else {
            return false;
        };
        let [model, upstream] = [super::MODEL, super::UPSTREAM].map(|name| tags.get(name).unwrap_or_default());
        let Some(account) = budget.account(tags, upstream, model, &|name| Some(name.into())) else {
            return false;
        };
        let line = AccountRef {
            budget: Arc::clone(budget),
            account,
        };
        let done = self.store.reset(std::slice::from_ref(&line));
        if done {
            let account = budget.account_label(&line.account);
            tracing::warn!(target: "llm::budget", budget = budget.name(), account, "a budget was reset by hand");
        }
        done
    }

    /// Whether a restart would make them forget what was spent: their accounts are in this process, and nothing has
    /// [refilled](Self::refill) them.
    #[must_use]
    pub fn are_volatile(&self) -> bool {
        !self.store.is_durable() && !self.is_refilled.load(Ordering::Relaxed)
    }

    /// The accounts that a past attempt is recorded on.
    fn lines_of_entry(&self, entry: &Entry) -> Vec<AccountRef> {
        match Candidate::new(&entry.upstream, &entry.model) {
            Ok(candidate) => self.lines_of(&entry.tags, &candidate, entry.served_model.as_deref()),
            Err(_) => self.lines(&entry.tags, &entry.upstream, &entry.model),
        }
    }
}
