//! Accounts in this process, and the reservations on them.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::{
    AccountRef, Budget, MAX_QUEUED_RESERVATIONS, Refusal, RefusalReason, Reservation, ReserveRequest,
    held::{Held, Nothing},
    slot::{self, Full, Share, Slot},
    sync::{Mutex, whole},
};
use crate::{UsdAmount, UtcTime};

/// Locks that accounts are spread over, so that two threads seldom want the same one.
const SHARDS: usize = 64;

/// Accounts there may be by default: each takes some 200 bytes.
pub const DEFAULT_MAX_ACCOUNTS: usize = 100_000;

/// Accounts kept in this process. Cheap to clone; clones share them.
///
/// It begins empty: [`Budgets::refill`](super::Budgets::refill) brings back what was spent before a restart.
#[derive(Clone)]
pub struct InMemoryBudgetStore(Arc<Shards>);

struct Shards {
    shards: Vec<Mutex<HashMap<Box<str>, Entry>>>,
    hasher: RandomState,
    most: usize,
    /// How many accounts were ever opened.
    opened: AtomicU64,
    /// How often an amount was not counted, as there was no room for its account.
    uncounted: AtomicU64,
    /// How many attempts ever waited for their turn, and how many do so now.
    came: AtomicU64,
    waiting: AtomicUsize,
}

/// Why an attempt is not carried, and the account that is in its way, if it may be carried once others have ended.
pub(super) struct Denied {
    pub(super) refusal: Box<Refusal>,
    pub(super) at: Option<Arc<Slot>>,
}

struct Entry {
    slot: Arc<Slot>,
    budget: Arc<Budget>,
}

/// How an account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountState {
    /// Which budget.
    pub budget: Arc<Budget>,
    /// Whose: `tenant=acme`.
    pub account: String,
    /// What has been spent in this window, up to the cap.
    pub settled: UsdAmount,
    /// What is reserved for attempts in flight: the most they can cost, not what they cost.
    pub reserved: UsdAmount,
    /// What was charged beyond all that was reserved, and beyond the cap.
    pub overrun: UsdAmount,
    /// When it is full again.
    pub resets: Option<UtcTime>,
}

impl AccountState {
    /// The account of a line at this time, with nothing spent or held.
    #[must_use]
    pub fn new(line: &AccountRef, at: UtcTime) -> Self {
        Self {
            budget: Arc::clone(&line.budget),
            account: line.budget.account_label(&line.account),
            settled: UsdAmount::ZERO,
            reserved: UsdAmount::ZERO,
            overrun: UsdAmount::ZERO,
            resets: line.budget.window_end(at),
        }
    }

    /// What has been spent, whether or not it fitted under the cap.
    #[must_use]
    pub const fn spent(&self) -> UsdAmount {
        self.settled.saturating_add(self.overrun)
    }

    /// What is neither spent nor reserved; below zero only if a budget is soft, or was overrun.
    #[must_use]
    pub fn free(&self) -> UsdAmount {
        self.budget
            .cap()
            .saturating_sub(self.spent().saturating_add(self.reserved))
    }
}

impl InMemoryBudgetStore {
    /// An empty one with room for [`DEFAULT_MAX_ACCOUNTS`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(DEFAULT_MAX_ACCOUNTS)
    }

    /// An empty one with room for about so many accounts. One that has nothing spent or reserved in its window makes room; if none
    /// does, a new account is refused. Of a budget that only warns, it is not counted, and an error is logged.
    #[must_use]
    pub fn with_room(max_accounts: usize) -> Self {
        Self(Arc::new(Shards {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            most: max_accounts,
            opened: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            came: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// How every account stands, the fullest first.
    #[must_use]
    pub fn accounts(&self) -> Vec<AccountState> {
        let at = UtcTime::now();
        let mut all = Vec::new();
        for shard in &self.0.shards {
            let shard = shard.lock().unwrap_or_else(whole);
            let accounts = shard.iter();
            all.extend(accounts.map(|(key, entry)| state_of(&entry.slot, entry.budget_in_force(key), key, at)));
        }
        all.sort_by_cached_key(|state| (state.free(), state.account.clone()));
        all
    }

    /// Every account that was opened for a budget of this name, whatever its scope was, and how it stands.
    #[must_use]
    pub fn accounts_of(&self, budget: &str) -> Vec<(AccountRef, AccountState)> {
        let at = UtcTime::now();
        let found = self.slots_of(budget).into_iter();
        let with_state = found.map(|(line, slot)| {
            let state = state_of(&slot, Arc::clone(&line.budget), &line.account, at);
            (line, state)
        });
        with_state.collect()
    }

    /// The same, each with the budget that it counts by now.
    pub(super) fn slots_of(&self, budget: &str) -> Vec<(AccountRef, Arc<Slot>)> {
        let mut found = Vec::new();
        for shard in &self.0.shards {
            let shard = shard.lock().unwrap_or_else(whole);
            let own = shard.iter().filter(|(_, entry)| entry.budget.name() == budget);
            found.extend(own.map(|(key, entry)| {
                let (budget, account) = (entry.budget_in_force(key), key.clone());
                (AccountRef { budget, account }, Arc::clone(&entry.slot))
            }));
        }
        found
    }

    /// The state of the account of a line, under its budget or the one in force in the place of that; `None` if it was not used yet.
    #[must_use]
    pub fn account(&self, line: &AccountRef) -> Option<AccountState> {
        let mut line = line.clone();
        line.use_budget_in_force();
        let AccountRef { budget, account } = line;
        let shard = self.0.shard(&account)?.lock().unwrap_or_else(whole);
        let slot = Arc::clone(&shard.get(&account)?.slot);
        drop(shard);
        Some(state_of(&slot, budget, &account, UtcTime::now()))
    }

    /// The accounts of the lines, in their order. A line that only warns is left out of both if there is no room for its account; fails with the
    /// place of another one.
    pub(super) fn shares(&self, lines: &mut Vec<AccountRef>, at: UtcTime) -> Result<Box<[Share]>, usize> {
        let mut shares = Vec::with_capacity(lines.len());
        let mut refused = None;
        lines.retain_mut(|line| {
            if refused.is_some() {
                return true;
            }
            line.use_budget_in_force();
            match self.share(line, at) {
                Some(share) => shares.push(share),
                None if line.budget.is_soft() => {
                    self.not_counted(line);
                    return false;
                }
                None => refused = Some(shares.len()),
            }
            true
        });
        refused.map_or_else(|| Ok(shares.into_boxed_slice()), Err)
    }

    /// The account of a line; `None` if there is no room for it.
    pub(super) fn share(&self, line: &AccountRef, at: UtcTime) -> Option<Share> {
        Some(share_of(self.0.slot(line, at)?, &line.budget, at))
    }

    /// What is spent on this line is not counted, as there is no room for its account. A flood of tags makes many of these, and few log lines.
    pub(super) fn not_counted(&self, line: &AccountRef) {
        let uncounted = self.0.uncounted.fetch_add(1, Ordering::Relaxed) + 1;
        if uncounted.is_power_of_two() {
            tracing::error!(
                target: "llm::budget",
                budget = line.budget.name(),
                uncounted,
                "no room for an account: what it spent is not counted"
            );
        }
    }
}

/// An account as this budget sees it.
fn share_of(slot: Arc<Slot>, budget: &Budget, at: UtcTime) -> Share {
    Share {
        slot,
        cap: budget.cap(),
        soft: budget.is_soft(),
        period: budget.period(at),
    }
}

impl Entry {
    /// The budget that this account counts by now.
    fn budget_in_force(&self, key: &str) -> Arc<Budget> {
        self.budget.replacement(key).unwrap_or_else(|| Arc::clone(&self.budget))
    }
}

/// How the account of this key stands at this time, under this budget.
fn state_of(slot: &Slot, budget: Arc<Budget>, key: &str, at: UtcTime) -> AccountState {
    let period = budget.period(at);
    let mut account = slot.lock().clone();
    account.roll(period);
    AccountState {
        account: budget.account_label(key),
        settled: account.settled,
        reserved: account.reserved,
        overrun: account.overrun,
        resets: account.full_again(period).map(UtcTime::from_millis),
        budget,
    }
}

impl Shards {
    /// The accounts that are locked together with this one.
    fn shard(&self, account: &str) -> Option<&Mutex<HashMap<Box<str>, Entry>>> {
        let hash = self.hasher.hash_one(account);
        self.shards.get(usize::try_from(hash % SHARDS as u64).ok()?)
    }

    /// The account of this key, opened if it is new; `None` if there is no room.
    fn slot(&self, line: &AccountRef, at: UtcTime) -> Option<Arc<Slot>> {
        let mut shard = self.shard(&line.account)?.lock().unwrap_or_else(whole);
        if let Some(entry) = shard.get_mut(&line.account) {
            // Its cap or window may have been changed.
            if !Arc::ptr_eq(&entry.budget, &line.budget) {
                entry.budget = Arc::clone(&line.budget);
            }
            return Some(Arc::clone(&entry.slot));
        }
        let room = self.most.div_ceil(SHARDS);
        if shard.len() >= room {
            // There is no other clone: all clones are made under the shard's lock.
            let blank = |key: &str, entry: &Entry| {
                let is_used = Arc::strong_count(&entry.slot) > 1;
                !is_used && entry.slot.lock().is_blank(entry.budget_in_force(key).period(at))
            };
            shard.retain(|key, entry| !blank(key, entry));
            if shard.len() >= room {
                return None;
            }
        }
        let slot = Arc::new(Slot::new(self.opened.fetch_add(1, Ordering::Relaxed)));
        let entry = Entry {
            slot: Arc::clone(&slot),
            budget: Arc::clone(&line.budget),
        };
        shard.insert(line.account.clone(), entry);
        Some(slot)
    }
}

impl Default for InMemoryBudgetStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the line of this index refuses; without such a line, nothing does.
pub(super) fn refused(ask: ReserveRequest, index: usize, reason: RefusalReason, at: Option<Arc<Slot>>) -> Decided {
    let Some(line) = ask.lines.get(index) else {
        return Ok(Reservation::new(UsdAmount::ZERO, Box::new(Nothing)));
    };
    let refusal = Box::new(Refusal::new(&line.budget, &line.account, reason, ask.at_least, ask.at));
    Err((ask, Denied { refusal, at }))
}

/// The same for an account that has too little, with the time at which that ends.
pub(super) fn refused_by(ask: ReserveRequest, full: Full, at: Option<Arc<Slot>>) -> Decided {
    let (settled, reserved) = (full.spent, full.reserved);
    let reason = RefusalReason::Spent { settled, reserved };
    refused(ask, full.index, reason, at).map_err(|(ask, mut denied)| {
        denied.refusal.resets = full.frees.map(UtcTime::from_millis);
        (ask, denied)
    })
}

/// The request comes back with a refusal.
pub(super) type Decided = Result<Reservation, (ReserveRequest, Denied)>;

impl InMemoryBudgetStore {
    /// Decides at once.
    pub(super) fn decide(&self, mut ask: ReserveRequest) -> Decided {
        match self.shares(&mut ask.lines, ask.at) {
            Ok(shares) => Self::decide_on(shares, ask),
            Err(index) => self.no_room(ask, index),
        }
    }

    /// The account of this line cannot be opened.
    pub(super) fn no_room(&self, ask: ReserveRequest, index: usize) -> Decided {
        refused(ask, index, RefusalReason::TooManyAccounts { most: self.0.most }, None)
    }

    pub(super) fn decide_on(shares: Box<[Share]>, ask: ReserveRequest) -> Decided {
        match slot::reserve(&shares, ask.want, ask.at_least) {
            Ok(amount) => {
                let lines = ask.lines.into_boxed_slice();
                Ok(Reservation::new(amount, Box::new(Held { lines, shares, amount })))
            }
            Err(full) => {
                let at = shares.get(full.index).map(|share| Arc::clone(&share.slot));
                refused_by(ask, full, at)
            }
        }
    }

    /// One more attempt waits: its number among all that ever did. `None` if as many wait as may.
    pub(super) fn begin_wait(&self) -> Option<u64> {
        if self.0.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_QUEUED_RESERVATIONS {
            self.end_wait();
            return None;
        }
        Some(self.0.came.fetch_add(1, Ordering::Relaxed))
    }

    /// An attempt waits no more.
    pub(super) fn end_wait(&self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for InMemoryBudgetStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let accounts: usize = self
            .0
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(whole).len())
            .sum();
        f.debug_struct("InMemoryBudgetStore")
            .field("accounts", &accounts)
            .finish_non_exhaustive()
    }
}
