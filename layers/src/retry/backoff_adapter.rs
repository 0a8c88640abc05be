//! Delays of the crate `backoff`.

use backoff::{ExponentialBackoff, backoff::Backoff};

use super::{Delays, Schedule};

/// A [`Schedule`] from a [`backoff::ExponentialBackoff`], for code that has one already.
///
/// The crate is unmaintained (RUSTSEC-2025-0012): [`Exponential`](super::Exponential) does the same without it. Its limit
/// on elapsed time is taken out, since it runs on the system's clock; the call's deadline and the cap on attempts end the
/// retries instead.
///
/// ```
/// use tower_llm_layers::retry::{BackoffSchedule, RetryLayer};
///
/// let layer = RetryLayer::new().schedule(BackoffSchedule::new(backoff::ExponentialBackoff::default()));
/// ```
#[derive(Debug, Clone)]
pub struct BackoffSchedule {
    prototype: ExponentialBackoff,
}

impl BackoffSchedule {
    /// Starts each call's delays from a fresh copy.
    #[must_use]
    pub fn new(backoff: ExponentialBackoff) -> Self {
        let mut prototype = backoff;
        prototype.max_elapsed_time = None;
        Self { prototype }
    }
}

impl Schedule for BackoffSchedule {
    fn delays(&self) -> Delays {
        let mut backoff = self.prototype.clone();
        backoff.reset();
        // Its jitter may pass the bound it was given: hold it to that.
        Box::new(std::iter::from_fn(move || {
            let delay = backoff.next_backoff()?;
            Some(delay.min(backoff.max_interval))
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn starts_again_for_each_call_and_never_ends_by_the_wall_clock() {
        let schedule = BackoffSchedule::new(ExponentialBackoff {
            initial_interval: Duration::from_millis(100),
            current_interval: Duration::from_secs(40),
            max_interval: Duration::from_millis(400),
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_elapsed_time: Some(Duration::ZERO),
            ..ExponentialBackoff::default()
        });
        for _ in 0..2 {
            let millis: Vec<_> = schedule.delays().take(4).map(|delay| delay.as_millis()).collect();
            assert_eq!(millis, [100, 200, 400, 400]);
        }
    }
}
