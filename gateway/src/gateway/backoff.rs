//! When something that was refused is tried again.

use std::time::Duration;

use tokio::time::Instant;

/// The first wait. Each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// When something is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    at: Instant,
    wait: Duration,
}

impl Backoff {
    /// It is to be tried now.
    pub(super) fn now() -> Self {
        Self {
            at: Instant::now(),
            wait: Duration::ZERO,
        }
    }

    /// Whether it is time.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Whether it was refused before.
    pub(super) const fn is_again(&self) -> bool {
        !self.wait.is_zero()
    }

    /// It was refused.
    pub(super) fn refused(&mut self) {
        self.wait = (self.wait * 2).clamp(FIRST, LONGEST);
        self.at = Instant::now() + self.wait;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_double_up_to_a_minute() {
        let mut backoff = Backoff::now();
        assert!(backoff.is_due() && !backoff.is_again());
        let mut waits = Vec::new();
        for _ in 0..8 {
            backoff.refused();
            let begun = Instant::now();
            while !backoff.is_due() {
                advance(Duration::from_secs(1)).await;
            }
            waits.push(begun.elapsed().as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(backoff.is_again());
    }
}
