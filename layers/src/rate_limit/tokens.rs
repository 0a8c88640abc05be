//! Tokens of one key, by the same rule as governor's (GCRA), but able to take back and to go into debt.

use std::time::Duration;

use tokio::{sync::Notify, time::Instant};

use super::{Rate, SOON};
use crate::util::Lock;

/// What calls used beyond the limit is paid back within a day, or within the time in which the rate refills its amount or its burst if that
/// is longer: whatever an upstream says was used, the refusals end.
const LONGEST_DEBT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the calls of one key used: what each really did is known only after it.
#[derive(Debug)]
pub(super) struct Tokens {
    rate: Rate,
    taken: Lock<Taken>,
    /// Wakes a call that waits, when another one has given tokens back.
    freed: Notify,
}

#[derive(Debug)]
struct Taken {
    /// When all that was taken so far will have been refilled.
    full_at: Instant,
    /// What calls in flight are thought to use: part of what was taken, and perhaps given back when they end.
    claimed: u64,
}

/// How long tokens are in a call's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenWait {
    /// When it could pass, or if calls in flight hold what it needs, when to look again.
    pub(super) time: Duration,
    /// Whether calls in flight hold what it needs, and may give it back at any time.
    pub(super) is_claimed: bool,
}

impl Tokens {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            taken: Lock::new(Taken {
                full_at: Instant::now(),
                claimed: 0,
            }),
            freed: Notify::new(),
        }
    }

    /// What `before` has counted by another rate: as many of the old burst are used of the new one, as far as that goes, and what was taken beyond
    /// it is still owed.
    pub(super) fn taking_over(rate: Rate, before: &Self) -> Self {
        let now = Instant::now();
        let (full_at, claimed) = {
            let taken = before.taken.lock();
            (taken.full_at, taken.claimed)
        };
        let taken = before.units(full_at.saturating_duration_since(now));
        let used = taken.min(before.rate.most_at_once().into());
        let units = used.min(rate.most_at_once().into()).saturating_add(taken - used);
        let next = Self::new(rate);
        let full_at = next.later(now, units, now);
        *next.taken.lock() = Taken { full_at, claimed };
        next
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes this many, or says when they would be there. More than the burst passes once the bucket is full, and those that
    /// follow wait for the rest. What is taken is claimed until [`true_up`](Self::true_up), [`keep`](Self::keep) or [`undo`](Self::undo).
    pub(super) fn take(&self, tokens: u64) -> Result<(), TokenWait> {
        let now = Instant::now();
        let mut taken = self.taken.lock();
        let base = taken.full_at.max(now);
        if let Some(wait) = self.wait_for(tokens, base.duration_since(now), taken.claimed) {
            return Err(wait);
        }
        taken.full_at = self.later(base, tokens, now);
        taken.claimed = taken.claimed.saturating_add(tokens);
        Ok(())
    }

    /// When so many would be there, without taking them.
    pub(super) fn wait(&self, tokens: u64) -> Option<TokenWait> {
        let (full_at, claimed) = {
            let taken = self.taken.lock();
            (taken.full_at, taken.claimed)
        };
        self.wait_for(tokens, full_at.saturating_duration_since(Instant::now()), claimed)
    }

    /// When so many would be there, if all that was taken is refilled in so long; `None` if they are there now.
    fn wait_for(&self, tokens: u64, full_in: Duration, claimed: u64) -> Option<TokenWait> {
        let burst = u64::from(self.rate.most_at_once());
        let needed = full_in.saturating_add(self.refill(tokens.min(burst)));
        let over = needed.saturating_sub(self.refill(burst));
        if over.is_zero() {
            return None;
        }
        // If every call in flight ended now, and had used nothing.
        let least = over.saturating_sub(self.refill(claimed));
        Some(TokenWait {
            time: over.min(least.max(SOON)),
            is_claimed: claimed > 0 && least < SOON,
        })
    }

    /// Ends when a call has given tokens back. One waiting call is woken for each that has.
    pub(super) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// A waiting call has passed: there may be enough for the next one.
    pub(super) fn wake_next(&self) {
        self.freed.notify_one();
    }

    /// Other limits count from now on: all calls that wait look again, and so does one that is about to wait.
    pub(super) fn wake_all(&self) {
        self.freed.notify_waiters();
        self.freed.notify_one();
    }

    /// When all that was taken is refilled.
    pub(super) fn full_in(&self) -> Duration {
        let full_at = self.taken.lock().full_at;
        full_at.saturating_duration_since(Instant::now())
    }

    /// A call that was thought to use so many used so many.
    pub(super) fn true_up(&self, thought: u64, used: u64) {
        self.end(thought, used);
        if used < thought {
            self.freed.notify_one();
        }
    }

    /// A call took so many and was refused by another limit. No call that waits is woken: it would be refused likewise.
    pub(super) fn undo(&self, thought: u64) {
        self.end(thought, 0);
    }

    /// A call ended, and what it used is not known: it keeps what it was thought to use.
    pub(super) fn keep(&self, thought: u64) {
        let mut taken = self.taken.lock();
        taken.claimed = taken.claimed.saturating_sub(thought);
    }

    /// Ends the claim of a call that used so many.
    fn end(&self, thought: u64, used: u64) {
        let mut taken = self.taken.lock();
        taken.claimed = taken.claimed.saturating_sub(thought);
        // No more was taken than the longest debt holds, so no more is given back.
        let thought = thought.min(self.most_taken());
        if used > thought {
            let now = Instant::now();
            taken.full_at = self.later(taken.full_at.max(now), used - thought, now);
        } else {
            let given_back = self.refill(thought - used);
            taken.full_at = taken.full_at.checked_sub(given_back).unwrap_or(taken.full_at);
        }
    }

    /// How long so many take to be refilled.
    fn refill(&self, tokens: u64) -> Duration {
        let nanos = self.rate.per().as_nanos().saturating_mul(u128::from(tokens)) / u128::from(self.rate.amount());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many are refilled in so long, rounded up.
    fn units(&self, time: Duration) -> u64 {
        let units = time.as_nanos().saturating_mul(u128::from(self.rate.amount()));
        u64::try_from(units.div_ceil(self.rate.per().as_nanos().max(1))).unwrap_or(u64::MAX)
    }

    /// When so many more will have been refilled, and no debt is longer than the longest.
    fn later(&self, instant: Instant, tokens: u64, now: Instant) -> Instant {
        let longest = now + self.longest_debt();
        let full_at = instant.checked_add(self.refill(tokens)).unwrap_or(longest);
        full_at.min(longest)
    }

    fn longest_debt(&self) -> Duration {
        let whole = self.rate.per().max(self.refill(self.rate.most_at_once().into()));
        whole.max(LONGEST_DEBT)
    }

    /// The tokens that are refilled within the longest debt.
    fn most_taken(&self) -> u64 {
        let most = self
            .longest_debt()
            .as_nanos()
            .saturating_mul(u128::from(self.rate.amount()));
        u64::try_from(most / self.rate.per().as_nanos().max(1)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_over_the_longest_debt_is_not_given_back() {
        let hour = Duration::from_secs(3_600);
        let tokens = Tokens::new(Rate::new(1, hour).unwrap());
        tokens.take(60).unwrap();
        assert_eq!(tokens.full_in(), 24 * hour);
        // It used fewer than it was thought to use, and more than the rate allows at once.
        tokens.true_up(60, 15);
        assert_eq!(tokens.full_in(), 15 * hour);
        assert!(tokens.take(1).is_err());
    }
}
