//! Which time of day an instant has: tokio's clock, set by the system's.
//!
//! The monotonic clock neither steps nor counts while the machine is suspended, and the system's clock does both. So they are compared once a
//! second, and if they have come apart, the time of day is set again: the windows of budgets follow the calendar, not the uptime.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

/// How often the two times are compared at most.
const COMPARED_EACH: i64 = 1_000_000_000;

/// From which difference on the time of day is set again. Slower drift is the same in both.
const STEP: i64 = 1_000_000_000;

/// How far tokio's clock may lie behind the monotonic one; past that it is paused.
const REAL: Duration = Duration::from_millis(100);

/// All times in nanoseconds; those since 1970 fit until the year 2262.
struct Wall {
    base: Instant,
    /// The time of day at `base`.
    epoch: AtomicI64,
    /// When the two times were compared last, after `base`.
    compared: AtomicI64,
}

/// The time of day at this instant, in milliseconds since 1970.
pub(super) fn millis_at(instant: Instant) -> u64 {
    static WALL: OnceLock<Wall> = OnceLock::new();
    let wall = WALL.get_or_init(|| Wall {
        base: Instant::now(),
        epoch: AtomicI64::new(system_time()),
        compared: AtomicI64::new(0),
    });
    let since = wall.since_base(instant);
    wall.compare(since);
    u64::try_from(wall.epoch.load(Ordering::Relaxed).saturating_add(since) / 1_000_000).unwrap_or(0)
}

impl Wall {
    fn since_base(&self, instant: Instant) -> i64 {
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        if instant >= self.base {
            nanos(instant.duration_since(self.base))
        } else {
            -nanos(self.base.duration_since(instant))
        }
    }

    fn compare(&self, since: i64) {
        let compared = self.compared.load(Ordering::Relaxed);
        if since.saturating_sub(compared) < COMPARED_EACH {
            return;
        }
        // One thread compares; the others go by what is known.
        let is_mine = self
            .compared
            .compare_exchange(compared, since, Ordering::Relaxed, Ordering::Relaxed);
        if is_mine.is_err() {
            return;
        }
        let now = Instant::now();
        #[expect(clippy::disallowed_methods, reason = "it shows whether tokio's clock is paused")]
        let real = std::time::Instant::now(); // house-ok: it shows whether tokio's clock is paused
        let is_paused = now.into_std() > real || real.duration_since(now.into_std()) > REAL;
        if is_paused {
            return;
        }
        let expected = self.epoch.load(Ordering::Relaxed).saturating_add(self.since_base(now));
        if let Some(step) = step(expected, system_time()) {
            self.epoch.fetch_add(step, Ordering::Relaxed);
            tracing::warn!(
                seconds = step / 1_000_000_000,
                "the system's clock has stepped, or the machine was suspended: the time of day is set again"
            );
        }
    }
}

/// By how much the time of day is to be corrected, if the difference is a step.
fn step(expected: i64, system: i64) -> Option<i64> {
    let difference = system.saturating_sub(expected);
    (difference.saturating_abs() >= STEP).then_some(difference)
}

fn system_time() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(epoch: i64) -> Wall {
        Wall {
            base: Instant::now(),
            epoch: AtomicI64::new(epoch),
            compared: AtomicI64::new(0),
        }
    }

    #[test]
    fn a_step_in_either_direction_is_followed_and_drift_is_not() {
        let hour = 3_600 * STEP;
        assert_eq!(step(hour, 2 * hour), Some(hour));
        assert_eq!(step(2 * hour, hour), Some(-hour));
        assert_eq!(step(hour, hour + STEP - 1), None);
        assert_eq!(step(i64::MIN, i64::MAX), Some(i64::MAX), "nothing overflows");
    }

    #[test]
    fn real_time_is_set_again_after_a_step() {
        // An hour late, as after a suspended hour.
        let wall = wall(system_time() - 3_600 * STEP);
        wall.compare(COMPARED_EACH - 1);
        assert!(
            step(wall.epoch.load(Ordering::Relaxed), system_time()).is_some(),
            "not yet"
        );
        wall.compare(COMPARED_EACH);
        let told = wall.epoch.load(Ordering::Relaxed) + wall.since_base(Instant::now());
        assert_eq!(step(told, system_time()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_is_left_alone() {
        let wall = wall(system_time() - 3_600 * STEP);
        tokio::time::advance(Duration::from_secs(86_400)).await;
        let before = wall.epoch.load(Ordering::Relaxed);
        wall.compare(wall.since_base(Instant::now()));
        assert_eq!(wall.epoch.load(Ordering::Relaxed), before);
    }
}
