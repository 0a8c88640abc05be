//! How many retries the process may make.

use std::sync::Arc;

use tokio::time::Instant;

use crate::util::{Lock, Share};

/// How many retries the process may make: a share of its calls, and a floor for quiet times.
///
/// A token bucket. Each call puts in `ratio` of a retry, time puts in `floor` retries a second, each retry takes one out.
/// It holds at most ten seconds' worth of the floor, or ten retries, so that a quiet hour does not pay for a storm.
/// Clones share the bucket: give the same one to every stack of the process. A call that succeeds takes no lock for it, and writes nothing
/// while the bucket is full.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    bucket: Arc<Bucket>,
    ratio: f64,
    floor: f64,
}

#[derive(Debug)]
struct Bucket {
    left: Share,
    /// When time last put something in.
    filled: Lock<Option<Instant>>,
}

/// A retry that was taken out of the bucket. Dropped before it is made, it goes back.
#[derive(Debug)]
pub(super) struct Withdrawn(Option<Arc<Bucket>>);

impl RetryBudget {
    /// Retries up to `ratio` of the calls (0.2 is 20 %), and `floor` further retries a second.
    ///
    /// Numbers below zero, or none at all, count as zero.
    #[must_use]
    pub fn new(ratio: f64, floor: f64) -> Self {
        let (ratio, floor) = (ratio.max(0.0), floor.max(0.0));
        let most = if ratio + floor > 0.0 {
            (floor * 10.0).max(10.0)
        } else {
            0.0
        };
        Self {
            bucket: Arc::new(Bucket {
                left: Share::new(floor, most),
                filled: Lock::default(),
            }),
            ratio,
            floor,
        }
    }

    /// The share of calls that may be retried.
    #[must_use]
    pub const fn ratio(&self) -> f64 {
        self.ratio
    }

    /// Further retries a second that are allowed.
    #[must_use]
    pub const fn floor(&self) -> f64 {
        self.floor
    }

    /// Retries that may be made now.
    #[must_use]
    pub fn left(&self) -> f64 {
        self.fill();
        self.bucket.left.left()
    }

    /// A call begins.
    pub fn deposit(&self) {
        // It reads no clock.
        self.bucket.left.add(self.ratio);
    }

    /// A retry wants to begin; `false` if the retry ratio is used up.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.fill();
        self.bucket.left.take()
    }

    /// A retry is to begin after a wait; `None` if the retry ratio is used up.
    pub(super) fn withdraw_ahead(&self) -> Option<Withdrawn> {
        self.withdraw().then(|| Withdrawn(Some(Arc::clone(&self.bucket))))
    }

    /// Puts in what time has brought since the last look.
    fn fill(&self) {
        let now = crate::util::now();
        let mut filled = self.bucket.filled.lock();
        let since = filled.map_or(0.0, |filled| now.saturating_duration_since(filled).as_secs_f64());
        *filled = Some(filled.map_or(now, |filled| filled.max(now)));
        self.bucket.left.add(since * self.floor);
    }
}

impl Withdrawn {
    /// The retry is made now.
    pub(super) fn made(mut self) {
        self.0 = None;
    }
}

impl Drop for Withdrawn {
    fn drop(&mut self) {
        if let Some(bucket) = &self.0 {
            bucket.left.add(1.0);
        }
    }
}

impl Default for RetryBudget {
    /// 20 % of the calls, and ten retries a second: the numbers that Finagle made common.
    fn default() -> Self {
        Self::new(0.2, 10.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_amplifies_by_no_more_than_the_ratio() {
        let budget = RetryBudget::new(0.2, 0.0);
        let calls = 10_000;
        let retries = (0..calls)
            .filter(|_| {
                budget.deposit();
                budget.withdraw()
            })
            .count();
        assert!((1_990..=2_000).contains(&retries), "{retries}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_floor_refills_with_time_and_is_bounded() {
        let budget = RetryBudget::new(0.0, 2.0);
        assert!(budget.withdraw() && budget.withdraw() && !budget.withdraw());
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(budget.withdraw() && !budget.withdraw());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_never() {
        let budget = RetryBudget::new(-1.0, f64::NAN);
        budget.deposit();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(!budget.withdraw());
    }
}
