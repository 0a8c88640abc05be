//! Accounts under their locks: a reservation on several is all or nothing.
//!
//! Kept apart from the rest, with its locks by way of `super::sync`, so that a model checker can run it with its own.

use super::{
    account::{Account, Period},
    queue::Queue,
    sync::{Arc, Mutex, MutexGuard},
};
use crate::UsdAmount;

/// One account, shared by all reservations on it.
#[derive(Debug)]
pub(super) struct Slot {
    account: Mutex<Account>,
    /// Its place in the lock order: several are locked from the lowest.
    order: u64,
    queue: Queue,
}

/// One account as a decision sees it.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub(super) slot: Arc<Slot>,
    pub(super) cap: UsdAmount,
    /// Whether it only warns.
    pub(super) soft: bool,
    /// The window now.
    pub(super) period: Period,
}

/// Which share refused, and what stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    pub(super) index: usize,
    /// What has been spent, beyond the cap too.
    pub(super) spent: UsdAmount,
    pub(super) reserved: UsdAmount,
    /// When enough of it is free again, in milliseconds.
    pub(super) frees: Option<u64>,
}

/// What a settlement has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    /// What had been spent before, beyond the cap too.
    pub(super) before: UsdAmount,
    /// The same afterwards.
    pub(super) after: UsdAmount,
    /// What is settled now.
    pub(super) settled: UsdAmount,
    /// What is held now.
    pub(super) reserved: UsdAmount,
    /// What it charged beyond the cap.
    pub(super) overrun: UsdAmount,
}

impl Slot {
    pub(super) fn new(order: u64) -> Self {
        let account = Mutex::new(Account::default());
        let queue = Queue::new();
        Self { account, order, queue }
    }

    /// Those that wait for its money.
    pub(super) const fn queue(&self) -> &Queue {
        &self.queue
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Account> {
        // Every change is whole, whatever a panicking holder left behind.
        self.account.lock().unwrap_or_else(super::sync::whole)
    }
}

/// Holds as much as all shares have, up to `want`, on each of them; or nothing on any, if one of them has less than `at_least`.
pub(super) fn reserve(shares: &[Share], want: UsdAmount, at_least: UsdAmount) -> Result<UsdAmount, Full> {
    let mut locked = lock(shares);
    let mut amount = want;
    for (index, account) in &mut locked {
        let Some(share) = shares.get(*index) else { continue };
        account.roll(share.period);
        if share.soft {
            continue;
        }
        let available = account.available(share.cap);
        if available < at_least {
            return Err(share.full(*index, account, at_least));
        }
        amount = amount.min(available);
    }
    for (_, account) in &mut locked {
        account.hold(amount);
    }
    Ok(amount)
}

/// Settles a reservation on each of the shares, and tells what that has changed on each.
pub(super) fn settle(shares: &[Share], held: UsdAmount, spent: UsdAmount, mut told: impl FnMut(usize, Settled)) {
    for (index, share) in shares.iter().enumerate() {
        let settled = {
            let mut account = share.slot.lock();
            account.roll(share.period);
            let (before, over) = (account.spent(), account.overrun);
            account.settle(share.limit(), held, spent);
            Settled {
                before,
                after: account.spent(),
                settled: account.settled,
                reserved: account.reserved,
                overrun: account.overrun.saturating_sub(over),
            }
        };
        share.slot.queue().wake_first();
        told(index, settled);
    }
}

impl Share {
    /// Why it refuses an attempt that needs so much.
    pub(super) fn full(&self, index: usize, account: &Account, needed: UsdAmount) -> Full {
        Full {
            index,
            spent: account.spent(),
            reserved: account.reserved,
            frees: account.frees(self.cap, needed, self.period),
        }
    }

    /// The most that may be there: without limit if it only warns.
    pub(super) fn limit(&self) -> UsdAmount {
        if self.soft {
            UsdAmount::from_pico(i128::MAX)
        } else {
            self.cap
        }
    }
}

/// All accounts at once, always in the same order, so that two callers that want the same ones never deadlock.
fn lock(shares: &[Share]) -> Vec<(usize, MutexGuard<'_, Account>)> {
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_unstable_by_key(|index| shares.get(*index).map(|share| share.slot.order));
    let in_order = order.into_iter().filter_map(|index| Some((index, shares.get(index)?)));
    in_order.map(|(index, share)| (index, share.slot.lock())).collect()
}
