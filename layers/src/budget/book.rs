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
    AccountRef, Budget, Hold, MOST_WAITING, Refusal, RefusalReason, Reservation, ReserveRequest,
    account::Account,
    slot::{self, Share, Slot},
    sync::{Mutex, whole},
    warn::warn_at_marks,
};
use crate::{UsdAmount, UtcTime};

/// Locks that accounts are spread over, so that two threads seldom want the same one.
const SHARDS: usize = 64;

/// Accounts there may be by default: each takes some 200 bytes.
pub const MAX_ACCOUNTS: usize = 100_000;

/// Accounts kept in this process. Cheap to clone; clones share them.
///
/// It begins empty: [`Budgets::refill`](super::Budgets::refill) brings back what was spent before a restart.
#[derive(Clone)]
pub struct InMemoryBudgetStore(Arc<Shelf>);

struct Shelf {
    shards: Vec<Mutex<HashMap<Box<str>, Entry>>>,
    hasher: RandomState,
    most: usize,
    /// How many accounts were ever opened.
    opened: AtomicU64,
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
            account: line.budget.say(&line.account),
            settled: UsdAmount::ZERO,
            reserved: UsdAmount::ZERO,
            overrun: UsdAmount::ZERO,
            resets: line.budget.window().end(at),
        }
    }

    /// What is neither spent nor reserved; below zero only if a budget is soft, or was overrun.
    #[must_use]
    pub fn free(&self) -> UsdAmount {
        let taken = self.settled.saturating_add(self.reserved).saturating_add(self.overrun);
        self.budget.cap().saturating_sub(taken)
    }
}

impl InMemoryBudgetStore {
    /// An empty one with room for [`MAX_ACCOUNTS`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_room(MAX_ACCOUNTS)
    }

    /// An empty one with room for about so many accounts. One that has nothing spent or reserved in its window makes room; if none
    /// does, a new account is refused.
    #[must_use]
    pub fn with_room(max_accounts: usize) -> Self {
        Self(Arc::new(Shelf {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            most: max_accounts,
            opened: AtomicU64::new(0),
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
            for (key, entry) in shard.lock().unwrap_or_else(whole).iter() {
                let mut account = *entry.slot.lock();
                account.roll(entry.budget.window().start(at).millis(), at.millis());
                all.push(AccountState {
                    budget: Arc::clone(&entry.budget),
                    account: entry.budget.say(key),
                    settled: account.settled,
                    reserved: account.reserved,
                    overrun: account.overrun,
                    resets: entry.budget.window().end(at),
                });
            }
        }
        all.sort_by_cached_key(|state| (state.free(), state.account.clone()));
        all
    }

    pub(super) fn shares(&self, lines: &[AccountRef], at: UtcTime) -> Result<Box<[Share]>, usize> {
        let shares = lines.iter().enumerate().map(|(index, line)| {
            let budget = &line.budget;
            let window = budget.window().start(at).millis();
            let slot = self.0.slot(line, at).ok_or(index)?;
            let (cap, soft) = (budget.cap(), budget.is_soft());
            Ok(Share {
                slot,
                cap,
                soft,
                window,
                at: at.millis(),
            })
        });
        shares.collect()
    }
}

impl Shelf {
    /// The account of this key, opened if it is new; `None` if there is no room.
    fn slot(&self, line: &AccountRef, at: UtcTime) -> Option<Arc<Slot>> {
        let hash = self.hasher.hash_one(&line.account);
        let index = usize::try_from(hash % SHARDS as u64).ok()?;
        let mut shard = self.shards.get(index)?.lock().unwrap_or_else(whole);
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
            let blank = |entry: &Entry| {
                let window = entry.budget.window().start(at).millis();
                Arc::strong_count(&entry.slot) == 1 && entry.slot.lock().is_blank(window)
            };
            shard.retain(|_, entry| !blank(entry));
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

/// The request comes back with a refusal.
pub(super) type Decided = Result<Reservation, (ReserveRequest, Denied)>;

impl InMemoryBudgetStore {
    /// Decides at once.
    pub(super) fn decide(&self, ask: ReserveRequest) -> Decided {
        match self.shares(&ask.lines, ask.at) {
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
                let Account {
                    settled,
                    reserved,
                    overrun,
                    ..
                } = full.account;
                let settled = settled.saturating_add(overrun);
                let at = shares.get(full.index).map(|share| Arc::clone(&share.slot));
                refused(ask, full.index, RefusalReason::Spent { settled, reserved }, at)
            }
        }
    }

    /// One more attempt waits: its number among all that ever did. `None` if as many wait as may.
    pub(super) fn begin_wait(&self) -> Option<u64> {
        if self.0.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
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

/// A hold on accounts of this process.
#[derive(Debug)]
struct Held {
    lines: Box<[AccountRef]>,
    shares: Box<[Share]>,
    amount: UsdAmount,
}

impl Hold for Held {
    fn settle(mut self: Box<Self>, spent: UsdAmount) {
        let now = UtcTime::now();
        // The window may have ended since: then it is spent in the new one.
        for (share, line) in self.shares.iter_mut().zip(&self.lines) {
            share.window = line.budget.window().start(now).millis();
            share.at = now.millis();
        }
        let lines = &self.lines;
        slot::settle(&self.shares, self.amount, spent, |index, before, after| {
            if let Some(line) = lines.get(index) {
                warn_at_marks(
                    line,
                    before.settled,
                    after.settled,
                    after.overrun.saturating_sub(before.overrun),
                );
            }
        });
    }
}

/// The hold of an attempt that no budget is for.
#[derive(Debug)]
struct Nothing;

impl Hold for Nothing {
    fn settle(self: Box<Self>, _: UsdAmount) {}
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
