//! The arithmetic of one account. Nothing here waits or locks.

use crate::UsdAmount;

/// How far the start of a window may lie ahead of the clock, in milliseconds.
const FURTHEST_AHEAD: u64 = 60 * 60 * 1_000;

/// What stands on one account. Always, of a cap that refuses: settled + reserved ≤ cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// The start of the window that `settled` is of, in milliseconds.
    pub(super) window: u64,
    /// What has been spent in it.
    pub(super) settled: UsdAmount,
    /// What is held for attempts in flight. Holds outlive a window, and are then spent in the next one.
    pub(super) reserved: UsdAmount,
    /// What was charged beyond what was held, and did not fit under the cap any more.
    pub(super) overrun: UsdAmount,
}

impl Account {
    /// Empties it if a new window has begun at this time. A clock that steps back begins none. A window that lies far ahead was begun by a
    /// clock that was wrong: what was spent in it is of the present window, or nothing would empty the account until then.
    pub(super) fn roll(&mut self, window: u64, at: u64) {
        if window > self.window {
            self.window = window;
            self.settled = UsdAmount::ZERO;
            self.overrun = UsdAmount::ZERO;
        } else if self.window > at.saturating_add(FURTHEST_AHEAD) {
            self.window = window;
        }
    }

    /// What may still be held.
    pub(super) fn available(&self, cap: UsdAmount) -> UsdAmount {
        let taken = self.settled.saturating_add(self.reserved).saturating_add(self.overrun);
        cap.saturating_sub(taken).max(UsdAmount::ZERO)
    }

    /// Holds an amount that was found available.
    pub(super) fn hold(&mut self, amount: UsdAmount) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// Settles a reservation by what the attempt cost.
    pub(super) fn settle(&mut self, cap: UsdAmount, held: UsdAmount, spent: UsdAmount) {
        self.reserved = self.reserved.saturating_sub(held).max(UsdAmount::ZERO);
        self.spend(cap, spent);
    }

    /// Spends without a reservation, or takes back what was spent too much.
    pub(super) fn spend(&mut self, cap: UsdAmount, amount: UsdAmount) {
        if amount.is_negative() {
            // What did not fit goes first.
            let back = UsdAmount::ZERO.saturating_sub(amount);
            let over = back.min(self.overrun);
            self.overrun = self.overrun.saturating_sub(over);
            self.settled = self
                .settled
                .saturating_sub(back.saturating_sub(over))
                .max(UsdAmount::ZERO);
            return;
        }
        let room = cap
            .saturating_sub(self.settled)
            .saturating_sub(self.reserved)
            .max(UsdAmount::ZERO);
        let fits = amount.min(room);
        self.settled = self.settled.saturating_add(fits);
        self.overrun = self.overrun.saturating_add(amount.saturating_sub(fits));
    }

    /// Whether nothing would be lost by forgetting it in this window.
    pub(super) fn is_blank(&self, window: u64) -> bool {
        self.reserved == UsdAmount::ZERO
            && (window > self.window || (self.settled == UsdAmount::ZERO && self.overrun == UsdAmount::ZERO))
    }
}
