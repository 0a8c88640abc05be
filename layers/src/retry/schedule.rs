//! The delays between retries.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The delays of one call.
pub type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// How long to wait before each retry of a call.
///
/// [`delays`](Self::delays) is called at the first failure of a call; the iterator gives one delay a retry, and its end
/// ends the retries.
pub trait Schedule: fmt::Debug + Send + Sync {
    /// Starts the delays of one call.
    fn delays(&self) -> Delays;
}

impl<M: Schedule + ?Sized> Schedule for Arc<M> {
    fn delays(&self) -> Delays {
        (**self).delays()
    }
}

/// Delays that double, with full jitter: each is drawn evenly from nothing up to its bound, so that calls that failed
/// together do not come back together.
#[derive(Debug, Clone)]
pub struct Exponential {
    base: Duration,
    max: Duration,
    seed: Option<Arc<AtomicU64>>,
}

impl Exponential {
    /// The first bound is `base`; each next one is twice as large, up to `max`.
    #[must_use]
    pub const fn new(base: Duration, max: Duration) -> Self {
        Self { base, max, seed: None }
    }

    /// With a fixed seed, so that a test sees the same delays every time.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = Some(Arc::new(AtomicU64::new(seed)));
        self
    }

    /// The first bound.
    #[must_use]
    pub const fn base(&self) -> Duration {
        self.base
    }

    /// The largest bound.
    #[must_use]
    pub const fn max(&self) -> Duration {
        self.max
    }
}

impl Default for Exponential {
    /// 250 ms up to 8 s: the router has already tried other providers when it reports a failure, so retries are few
    /// and spaced.
    fn default() -> Self {
        Self::new(Duration::from_millis(250), Duration::from_secs(8))
    }
}

impl Schedule for Exponential {
    /// They never end.
    fn delays(&self) -> Delays {
        let mut random = match &self.seed {
            Some(seed) => fastrand::Rng::with_seed(seed.fetch_add(1, Ordering::Relaxed)),
            None => fastrand::Rng::new(),
        };
        let (mut next, max) = (self.base.min(self.max), self.max);
        Box::new(std::iter::from_fn(move || {
            let bound = next;
            next = bound.saturating_mul(2).min(max);
            let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
            Some(Duration::from_nanos(random.u64(0..=nanos)))
        }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_delay_is_within_its_bound(base in 0u64..10_000, max in 0u64..100_000, seed: u64) {
            let (base, max) = (Duration::from_millis(base), Duration::from_millis(max));
            let mut bound = base.min(max);
            for delay in Exponential::new(base, max).seeded(seed).delays().take(80) {
                prop_assert!(delay <= bound);
                bound = bound.saturating_mul(2).min(max);
            }
        }
    }

    #[test]
    fn it_doubles_up_to_its_bound() {
        let (second, eight) = (Duration::from_secs(1), Duration::from_secs(8));
        for (max, least) in [(second, Duration::from_millis(900)), (eight, Duration::from_secs(7))] {
            let schedule = Exponential::new(second, max).seeded(7);
            let fourth: Vec<_> = (0..200).filter_map(|_| schedule.delays().nth(3)).collect();
            let longest = fourth.iter().max().copied();
            assert!(longest > Some(least) && longest <= Some(max), "{longest:?}");
        }
    }

    #[test]
    fn jitter_is_full_and_differs_from_call_to_call() {
        let schedule = Exponential::new(Duration::from_secs(1), Duration::from_secs(1)).seeded(7);
        let first: Vec<_> = (0..200).filter_map(|_| schedule.delays().next()).collect();
        assert!(first.iter().any(|delay| *delay < Duration::from_millis(100)));
        assert!(first.iter().any(|delay| *delay > Duration::from_millis(900)));
        let again = Exponential::new(Duration::from_secs(1), Duration::from_secs(1)).seeded(7);
        assert_eq!(
            first,
            (0..200).filter_map(|_| again.delays().next()).collect::<Vec<_>>()
        );
    }
}
