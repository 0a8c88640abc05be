//! Tokens of one key, by the same rule as governor's (GCRA), but able to take back and to go into debt.

use std::time::Duration;

use tokio::time::Instant;

use super::Rate;
use crate::util::Lock;

/// What calls used beyond the limit is paid back within a day, or within the time in which the rate refills its amount or its burst if that
/// is longer: whatever an upstream says was used, the refusals end.
const LONGEST_DEBT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the calls of one key used: what each really did is known only after it.
#[derive(Debug)]
pub(super) struct Tokens {
    rate: Rate,
    /// When all that was taken so far will have been refilled.
    full_at: Lock<Instant>,
}

impl Tokens {
    pub(super) fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: Lock::new(Instant::now()),
        }
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes this many, or says when they would be there. More than the burst passes once the bucket is full, and those that
    /// follow wait for the rest.
    pub(super) fn take(&self, tokens: u64) -> Result<(), Duration> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock();
        let base = (*full_at).max(now);
        let burst = u64::from(self.rate.most_at_once());
        let needed = base.duration_since(now).saturating_add(self.refill(tokens.min(burst)));
        let over = needed.saturating_sub(self.refill(burst));
        if !over.is_zero() {
            return Err(over);
        }
        *full_at = self.later(base, tokens, now);
        Ok(())
    }

    /// When so many would be there, without taking them.
    pub(super) fn wait(&self, tokens: u64) -> Option<Duration> {
        let burst = u64::from(self.rate.most_at_once());
        let needed = self.full_in().saturating_add(self.refill(tokens.min(burst)));
        Some(needed.saturating_sub(self.refill(burst))).filter(|wait| !wait.is_zero())
    }

    /// When all that was taken is refilled.
    pub(super) fn full_in(&self) -> Duration {
        let full_at = *self.full_at.lock();
        full_at.saturating_duration_since(Instant::now())
    }

    /// A call that was thought to use so many used so many.
    pub(super) fn true_up(&self, thought: u64, used: u64) {
        // No more was taken than the longest debt holds, so no more is given back.
        let thought = thought.min(self.most_taken());
        let mut full_at = self.full_at.lock();
        if used > thought {
            let now = Instant::now();
            *full_at = self.later((*full_at).max(now), used - thought, now);
        } else {
            *full_at = full_at.checked_sub(self.refill(thought - used)).unwrap_or(*full_at);
        }
    }

    /// How long so many take to be refilled.
    fn refill(&self, tokens: u64) -> Duration {
        let nanos = self.rate.per().as_nanos().saturating_mul(u128::from(tokens)) / u128::from(self.rate.amount());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
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
