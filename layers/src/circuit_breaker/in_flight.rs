//! Which attempts may yet succeed.
//!
//! A failure is often quicker than a first token. Of a busy upstream the failures of the last half second are known, and the
//! successes are not: by what is known, it would seem down. So attempts that began before a failure and are in flight still count
//! with those that did not fail, unless one that began after them has succeeded: then they are late.

/// The most ends that are remembered: beyond them the oldest attempts under way no longer count.
const MOST: usize = 256;

/// Attempts are numbered as they begin.
#[derive(Debug)]
pub(super) struct InFlightAttempts {
    /// All up to this one have ended, or are late.
    settled: u64,
    /// Those after it that have ended without a success.
    ended: Vec<u64>,
}

impl InFlightAttempts {
    pub(super) const fn new() -> Self {
        Self {
            settled: 0,
            ended: Vec::new(),
        }
    }

    /// Forgets all: the next attempt has this number.
    pub(super) fn restart(&mut self, next: u64) {
        self.settled = next.saturating_sub(1);
        self.ended.clear();
    }

    pub(super) fn succeeded(&mut self, number: u64) {
        if number > self.settled {
            self.settled = number;
            self.ended.retain(|ended| *ended > number);
        }
    }

    pub(super) fn ended_without_result(&mut self, number: u64) {
        if number <= self.settled {
            return;
        }
        self.ended.push(number);
        if self.ended.len() > MOST
            && let Some(oldest) = self.ended.iter().copied().min()
        {
            self.succeeded(oldest);
        }
    }

    /// Says how many that began before this one may yet succeed.
    pub(super) fn failed(&mut self, number: u64) -> u32 {
        self.ended_without_result(number);
        let before = number.saturating_sub(self.settled + 1);
        let ended = self.ended.iter().filter(|ended| **ended < number).count();
        u32::try_from(before.saturating_sub(ended as u64)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_before_a_failure_may_yet_succeed() {
        let mut in_flight = InFlightAttempts::new();
        assert_eq!(in_flight.failed(1), 0);
        assert_eq!(in_flight.failed(5), 3, "2, 3 and 4");
        assert_eq!(in_flight.failed(4), 2);
        in_flight.ended_without_result(3);
        assert_eq!(in_flight.failed(9), 4, "2, 6, 7 and 8");
        in_flight.succeeded(7);
        assert_eq!(in_flight.failed(10), 1, "8; 2 and 6 are late");
        assert_eq!(in_flight.failed(2), 0, "late, and failed");
        in_flight.restart(20);
        assert_eq!(in_flight.failed(21), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut in_flight = InFlightAttempts::new();
        for number in 1..10_000 {
            in_flight.failed(2 * number);
        }
        assert!(in_flight.ended.len() <= MOST);
        assert!(in_flight.failed(20_001) <= 300);
    }
}
