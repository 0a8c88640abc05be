//! The times at which a bill is looked up.

use std::time::Duration;

/// From the end of an attempt to the first question for its bill. It is seldom there sooner.
pub const INITIAL_BILL_DELAY: Duration = Duration::from_millis(500);

/// The longest wait between two questions; after it the bill is given up. The first ten come over eight and a half minutes, the
/// last ten minutes later: bills have been seen to take over eight.
pub const MAX_BILL_DELAY: Duration = Duration::from_secs(600);

/// How often an account may refuse the question for one bill before the bill is left to a later run. By default that takes half an hour, and
/// no entry waits for more than 80 minutes: a process that requests what others have left must leave an entry alone for longer than that.
pub const MOST_REFUSALS: u32 = 3;

/// The shortest wait that can be set: one of zero, doubled, never reaches the longest.
pub(super) const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The longest wait that can be set.
pub(super) const MOST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How far each wait is spread, up or down, so that the bills of many answers interrupted together are not requested together.
const SPREAD: f64 = 0.2;

/// How long all questions for one bill may take, and wait for one another.
const QUESTIONS: Duration = Duration::from_secs(600);

/// The waits before each question, spread.
pub(super) fn waits(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> {
    plain_waits(first, longest).map(spread)
}

/// How long an entry waits for its bill at most, however slow the answers are: all waits at their longest, those after refusals included, and the time
/// for the questions.
pub(super) fn longest_pending(first: Duration, longest: Duration) -> Duration {
    let refused = longest.min(MOST_WAIT) * MOST_REFUSALS;
    let waits = plain_waits(first, longest).sum::<Duration>() + refused;
    waits.mul_f64(1.0 + SPREAD) + QUESTIONS
}

/// The waits: each twice the one before. They end, and overflow by no input: both are bounded here again.
fn plain_waits(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> {
    let longest = longest.clamp(SHORTEST_WAIT, MOST_WAIT);
    let mut next = Some(first.clamp(SHORTEST_WAIT, longest));
    std::iter::from_fn(move || {
        let wait = next?;
        next = (wait < longest).then(|| (wait * 2).min(longest));
        Some(wait)
    })
}

/// The wait, spread.
pub(super) fn spread(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_end_with_it() {
        let waits: Vec<_> = waits(INITIAL_BILL_DELAY, MAX_BILL_DELAY).collect();
        assert_eq!(waits.len(), 12);
        let mut plain = INITIAL_BILL_DELAY;
        for wait in waits {
            let share = wait.as_secs_f64() / plain.as_secs_f64();
            assert!((0.8..=1.2).contains(&share), "{wait:?} for {plain:?}");
            plain = (plain * 2).min(MAX_BILL_DELAY);
        }
    }

    #[test]
    fn an_entry_has_time_for_its_whole_schedule_and_no_more_than_80_minutes_by_default() {
        for _ in 0..100 {
            let refused = (0..MOST_REFUSALS).map(|_| spread(MAX_BILL_DELAY));
            let all: Duration = waits(INITIAL_BILL_DELAY, MAX_BILL_DELAY).chain(refused).sum();
            assert!(all < longest_pending(INITIAL_BILL_DELAY, MAX_BILL_DELAY), "{all:?}");
        }
        assert!(longest_pending(INITIAL_BILL_DELAY, MAX_BILL_DELAY) <= Duration::from_secs(80 * 60));
        assert!(
            longest_pending(Duration::ZERO, Duration::MAX) > 4 * MOST_WAIT,
            "it follows the settings"
        );
    }

    #[test]
    fn a_first_wait_past_the_longest_is_cut() {
        assert_eq!(waits(MAX_BILL_DELAY * 2, MAX_BILL_DELAY).count(), 1);
    }

    #[test]
    fn the_waits_end_and_overflow_by_no_input() {
        for (first, longest, count) in [
            (Duration::ZERO, Duration::ZERO, 1),
            (Duration::ZERO, MAX_BILL_DELAY, 21),
            (Duration::ZERO, Duration::MAX, 28),
            (Duration::MAX, Duration::MAX, 1),
            (Duration::MAX, Duration::ZERO, 1),
        ] {
            assert_eq!(
                waits(first, longest).take(1_000).count(),
                count,
                "{first:?} {longest:?}"
            );
        }
    }
}
