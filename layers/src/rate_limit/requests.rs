//! The requests of one key, counted by governor; what was taken for an attempt that was never sent goes back.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::Clock,
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};

use tokio::time::Instant;

use super::{Rate, RateStanding, clock::TokioClock};

type Governor = RateLimiter<NotKeyed, InMemoryState, TokioClock, StateInformationMiddleware>;

/// Governor takes nothing back, so what was given back is counted beside it, and passes when governor refuses. What both would let pass
/// together is never more than the burst.
#[derive(Debug)]
pub(super) struct Requests {
    rate: Rate,
    governor: Governor,
    given_back: AtomicU32,
    begun: Instant,
    /// When governor has refilled all that it gave, in nanoseconds after `begun`: governor does not say that without taking one.
    full_at: AtomicU64,
}

impl Requests {
    pub(super) fn new(rate: Rate) -> Option<Self> {
        let governor = RateLimiter::direct_with_clock(rate.quota()?, TokioClock);
        Some(Self {
            rate,
            governor: governor.with_middleware(),
            given_back: AtomicU32::new(0),
            begun: Instant::now(),
            full_at: AtomicU64::new(0),
        })
    }

    /// What `before` has counted by another rate: as many of the old burst are used of the new one, as far as that goes.
    pub(super) fn taking_over(rate: Rate, before: &Self) -> Option<Self> {
        let next = Self::new(rate)?;
        let used = RateStanding::new(before.rate, before.full_in()).used();
        let used = u32::try_from(used).unwrap_or(u32::MAX).min(rate.most_at_once());
        if let Some(used) = NonZeroU32::new(used)
            && let Ok(Ok(state)) = next.governor.check_n(used)
        {
            next.taken(state.quota().replenish_interval().saturating_mul(used.get()));
        }
        Some(next)
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Takes one, or says when it would be there.
    pub(super) fn take(&self) -> Result<(), Duration> {
        match self.governor.check() {
            Ok(state) => {
                // What governor has refilled meanwhile is no longer owed; this one is taken.
                let burst = state.quota().burst_size().get();
                let owed = burst.saturating_sub(state.remaining_burst_capacity()).saturating_sub(1);
                self.given_back.fetch_min(owed, Ordering::Relaxed);
                self.taken(state.quota().replenish_interval());
                Ok(())
            }
            Err(not_until) => {
                let spare = |count: u32| count.checked_sub(1);
                self.given_back
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spare)
                    .map(drop)
                    .map_err(|_| not_until.wait_time_from(TokioClock.now()))
            }
        }
    }

    fn taken(&self, unit: Duration) {
        let (now, unit) = (self.now(), whole_nanos(unit));
        let later = |full_at: u64| Some(full_at.max(now).saturating_add(unit));
        // The closure always gives one.
        let _before = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    fn now(&self) -> u64 {
        whole_nanos(self.begun.elapsed())
    }

    /// When all that was taken is refilled.
    pub(super) fn full_in(&self) -> Duration {
        let full_in = self.full_at.load(Ordering::Relaxed).saturating_sub(self.now());
        let unit = whole_nanos(self.rate.per() / self.rate.amount());
        let given_back = unit.saturating_mul(self.given_back.load(Ordering::Relaxed).into());
        Duration::from_nanos(full_in.saturating_sub(given_back))
    }

    /// The request for which one was taken was never sent.
    pub(super) fn give_back(&self) {
        let burst = self.rate.most_at_once();
        let more = |count: u32| (count < burst).then_some(count + 1);
        // At the burst nothing more is given back.
        let _full = self.given_back.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

fn whole_nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_remains_is_what_passes() {
        let rate = Rate::new(7, Duration::from_secs(3)).and_then(|rate| rate.burst(5));
        let requests = Requests::new(rate.unwrap()).unwrap();
        fastrand::seed(19);
        let standing = || RateStanding::new(requests.rate(), requests.full_in());
        for _ in 0..300 {
            for _ in 0..fastrand::u64(..=2) {
                let _taken = requests.take();
            }
            if fastrand::u8(..4) == 0 && requests.take().is_ok() {
                requests.give_back();
            }
            let before = standing();
            if before.remaining() == 0 {
                let wait = requests.take().unwrap_err();
                assert!(
                    before.more_in() <= wait && wait <= before.more_in() + Duration::from_nanos(9),
                    "{wait:?}"
                );
            }
            tokio::time::advance(before.more_in()).await;
            let more = (before.remaining() + 1).min(5);
            assert!(standing().remaining() >= before.remaining().min(more), "{before:?}");
            tokio::time::advance(Duration::from_millis(fastrand::u64(..900))).await;
        }
        let left = standing().remaining();
        assert_eq!(passed(&requests) as u64, left);
    }

    fn passed(requests: &Requests) -> usize {
        (0..100).take_while(|_| requests.take().is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_never_sent_passes_again_and_never_more_than_the_burst() {
        let rate = Rate::new(10, Duration::from_secs(1))
            .and_then(|rate| rate.burst(10))
            .unwrap();
        let requests = Requests::new(rate).unwrap();
        assert_eq!(passed(&requests), 10);
        for _ in 0..3 {
            requests.give_back();
        }
        assert_eq!(passed(&requests), 3);
        // Attempts that are never sent, for ten seconds: governor refills all the time.
        for _ in 0..100 {
            tokio::time::advance(Duration::from_millis(100)).await;
            assert_eq!(requests.take(), Ok(()));
            requests.give_back();
        }
        assert_eq!(passed(&requests), 10, "a full bucket, and no more");
        for _ in 0..10 {
            requests.give_back();
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(passed(&requests), 10, "what was given back has been refilled by now");
    }
}
