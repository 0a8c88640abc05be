//! The arithmetic of one account. Nothing here waits or locks.

use super::rolling::Slices;
use crate::UsdAmount;

/// The window that an instant lies in. All times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    /// From a beginning to an end; without end, what is spent stays spent.
    Fixed { start: u64, end: Option<u64> },
    /// So long before now.
    Rolling { now: u64, length: u64 },
}

/// What stands on one account. Always, of a cap that refuses: settled + reserved ≤ cap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// The start of the window that `settled` is of, in milliseconds; of a rolling one the last time that was seen.
    pub(super) window: u64,
    /// What has been spent in it.
    pub(super) settled: UsdAmount,
    /// What is held for attempts in flight. Holds outlive a window, and are then spent in the next one.
    pub(super) reserved: UsdAmount,
    /// What was charged beyond what was held, and did not fit under the cap any more.
    pub(super) overrun: UsdAmount,
    /// All that was ever spent, whatever was forgotten or taken back since.
    pub(super) total: UsdAmount,
    /// When it was reset by hand, in milliseconds; 0 if it never was.
    reset: u64,
    /// Of a rolling window: when what is settled and overrun was spent.
    slices: Slices,
}

impl Account {
    /// What has been spent, whether or not it fitted under the cap.
    pub(super) fn spent(&self) -> UsdAmount {
        self.settled.saturating_add(self.overrun)
    }

    /// Empties it if a new window has begun. A clock that goes back begins none; one that goes back by more than a window takes what is spent
    /// with it, so that it does not stay until the clock is there again.
    pub(super) fn roll(&mut self, period: Period) {
        match period {
            Period::Fixed { start, end } => {
                self.slices = Slices::default();
                if start > self.window {
                    self.window = start;
                    self.settled = UsdAmount::ZERO;
                    self.overrun = UsdAmount::ZERO;
                } else if end.is_some_and(|end| self.window > end) {
                    self.window = start;
                }
            }
            Period::Rolling { now, length } => {
                if self.slices.length() == 0 {
                    // It had another window: what is spent counts from now on.
                    self.slices = Slices::new(length);
                    self.slices.add(now, self.spent());
                }
                self.slices.set_length(length);
                if now >= self.window {
                    self.window = now;
                } else if self.window - now > length {
                    self.window = now;
                    self.slices.rebase(now);
                }
                let free = self.slices.expire(self.window);
                self.take_back(free);
            }
        }
    }

    /// What may still be held.
    pub(super) fn available(&self, cap: UsdAmount) -> UsdAmount {
        self.unspent(cap).saturating_sub(self.reserved).max(UsdAmount::ZERO)
    }

    /// What may still be held once nothing else is.
    pub(super) fn unspent(&self, cap: UsdAmount) -> UsdAmount {
        cap.saturating_sub(self.spent()).max(UsdAmount::ZERO)
    }

    /// Holds an amount that was found available.
    pub(super) fn hold(&mut self, amount: UsdAmount) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// Settles a reservation by what the attempt cost.
    pub(super) fn settle(&mut self, cap: UsdAmount, held: UsdAmount, spent: UsdAmount) {
        self.reserved = self.reserved.saturating_sub(held).max(UsdAmount::ZERO);
        self.spend(cap, spent, u64::MAX);
    }

    /// Spends without a reservation, or takes back what was spent too much, at this time. What was spent before a reset is forgotten already, and
    /// nothing of it is taken back.
    pub(super) fn spend(&mut self, cap: UsdAmount, amount: UsdAmount, at: u64) {
        if amount.is_negative() && at <= self.reset {
            return;
        }
        let at = at.min(self.window);
        let rolls = self.slices.length() > 0;
        if amount.is_negative() {
            let back = UsdAmount::ZERO.saturating_sub(amount);
            if rolls {
                self.slices.take(at, back);
            }
            return self.take_back(back);
        }
        self.total = self.total.saturating_add(amount);
        if rolls {
            self.slices.add(at, amount);
        }
        let room = cap
            .saturating_sub(self.settled)
            .saturating_sub(self.reserved)
            .max(UsdAmount::ZERO);
        let fits = amount.min(room);
        self.settled = self.settled.saturating_add(fits);
        self.overrun = self.overrun.saturating_add(amount.saturating_sub(fits));
    }

    /// Takes back what still stands of this much, which stood here when so much in total had been spent. What was spent since stays.
    pub(super) fn take_back_before(&mut self, spent: UsdAmount, total: UsdAmount) {
        let since = self.total.saturating_sub(total);
        let stands = self.spent().saturating_sub(since).min(spent);
        if stands > UsdAmount::ZERO {
            // The earliest of what is spent.
            self.slices.take(0, stands);
            self.take_back(stands);
        }
    }

    /// What did not fit goes first.
    fn take_back(&mut self, amount: UsdAmount) {
        let over = amount.min(self.overrun);
        self.overrun = self.overrun.saturating_sub(over);
        self.settled = self
            .settled
            .saturating_sub(amount.saturating_sub(over))
            .max(UsdAmount::ZERO);
    }

    /// Forgets what was spent until now, in milliseconds. What is held stays.
    pub(super) fn reset(&mut self, now: u64) {
        self.reset = now;
        self.settled = UsdAmount::ZERO;
        self.overrun = UsdAmount::ZERO;
        self.slices = Slices::new(self.slices.length());
    }

    /// When an attempt that needs so much fits: beside what is held, if it would fit without that, else in its place. In milliseconds; `None` if
    /// never, or if nothing that is spent prevents it.
    pub(super) fn frees(&self, cap: UsdAmount, needed: UsdAmount, period: Period) -> Option<u64> {
        match period {
            Period::Fixed { end, .. } => end,
            Period::Rolling { .. } => {
                let wanted = self.spent().saturating_add(needed);
                let held = if wanted <= cap { self.reserved } else { UsdAmount::ZERO };
                self.slices.frees(wanted.saturating_add(held).saturating_sub(cap))
            }
        }
    }

    /// When nothing is spent any more, in milliseconds; `None` if never, or now.
    pub(super) fn full_again(&self, period: Period) -> Option<u64> {
        match period {
            Period::Fixed { end, .. } => end,
            Period::Rolling { .. } => self.slices.last(),
        }
    }

    /// Whether nothing would be lost by forgetting it in this window.
    pub(super) fn is_blank(&self, period: Period) -> bool {
        let mut then = self.clone();
        then.roll(period);
        then.reserved == UsdAmount::ZERO && then.spent() == UsdAmount::ZERO && !then.is_reset_in(period)
    }

    /// Whether it was reset in this window, so that a late bill of the time before may still come.
    fn is_reset_in(&self, period: Period) -> bool {
        let counts = match period {
            Period::Fixed { start, .. } => self.reset >= start,
            Period::Rolling { now, length } => self.reset.saturating_add(length) > now,
        };
        self.reset > 0 && counts
    }
}
