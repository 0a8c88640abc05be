//! The times of a candidate's first tokens, from which a hedge takes its delay.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{FailureKind, Health, util::Lock};

/// Times kept: enough for a 95th percentile, few enough to follow the weather.
const KEPT: usize = 128;

/// Times needed before a percentile is worth anything.
const NEEDED: usize = 20;

/// After so many new times the percentile is computed again, when it is next needed.
const STALE: usize = 8;

/// How much the newest attempt weighs in the share of failures.
const NEWEST: f32 = 0.1;

/// From this share of failures on a candidate gets no hedge.
const DEGRADED: f32 = 0.5;

/// A candidate that gets no hedge is probed by one this long after its last failure. As long as a circuit looks back by default: by then what made
/// it fail is likely to be over, and one hedge in that time is no load. Without it, a candidate that is called by hedges alone would never
/// be called again.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// How soon a candidate begins its answers, and how often it fails.
#[derive(Debug, Default)]
pub(super) struct Track {
    known: Lock<LatencyStats>,
    /// The number of the use that was the last.
    used: AtomicU64,
}

#[derive(Debug, Default)]
struct LatencyStats {
    times: Vec<Duration>,
    next: usize,
    p95: Option<Duration>,
    since: usize,
    failures: f32,
    /// When it failed last, if it has not answered since.
    failed_at: Option<Instant>,
    /// When the probe began that is under way.
    probed_at: Option<Instant>,
}

impl Track {
    /// It is used once more: of two tracks the one with the higher number was used later.
    pub(super) fn touch(&self, number: u64) {
        self.used.fetch_max(number, Ordering::Relaxed);
    }

    /// The number of its last use.
    pub(super) fn last_use(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// An answer began after this long.
    pub(super) fn began(&self, after: Duration) {
        let mut known = self.known.lock();
        known.failures -= known.failures * NEWEST;
        (known.failed_at, known.probed_at) = (None, None);
        known.time(after);
    }

    /// Another candidate was faster: it would have taken this long at least.
    pub(super) fn outrun(&self, after: Duration) {
        self.known.lock().time(after);
    }

    /// An attempt failed so. A failure that does not concern the upstream's health changes nothing.
    pub(super) fn failed(&self, kind: FailureKind, health: Health) {
        if matches!(health, Health::Unhealthy | Health::Paused) || kind == FailureKind::CircuitOpen {
            let mut known = self.known.lock();
            known.failures += (1.0 - known.failures) * NEWEST;
            (known.failed_at, known.probed_at) = (Some(crate::util::now()), None);
        }
    }

    /// The time within which 95 of a hundred answers began, once enough were seen.
    pub(super) fn p95(&self) -> Option<Duration> {
        let mut known = self.known.lock();
        if known.times.len() >= NEEDED && (known.p95.is_none() || known.since >= STALE) {
            known.since = 0;
            let mut sorted = known.times.clone();
            let rank = sorted.len() * 95 / 100;
            known.p95 = Some(*sorted.select_nth_unstable(rank).1);
        }
        known.p95
    }

    /// When it may get a hedge, if it may not now: most of its last attempts failed, and it is too early for a probe.
    pub(super) fn next_hedge(&self) -> Option<Duration> {
        let known = self.known.lock();
        let latest = known.failed_at.max(known.probed_at).filter(|_| known.is_degraded())?;
        let left = PROBE_AFTER.saturating_sub(crate::util::since(latest));
        (!left.is_zero()).then_some(left)
    }

    /// It gets a hedge; `true` if that is a probe: then the next one waits for how it ends, or as long as after a failure.
    pub(super) fn hedged(&self) -> bool {
        let mut known = self.known.lock();
        let is_probe = known.is_degraded();
        if is_probe {
            known.probed_at = Some(crate::util::now());
        }
        is_probe
    }
}

impl LatencyStats {
    /// Whether most of its last attempts failed.
    fn is_degraded(&self) -> bool {
        self.failures > DEGRADED
    }

    fn time(&mut self, after: Duration) {
        match self.times.get_mut(self.next) {
            Some(oldest) => *oldest = after,
            None => self.times.push(after),
        }
        self.next = (self.next + 1) % KEPT;
        self.since += 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::Phase;

    #[test]
    fn the_percentile_follows_the_last_times() {
        let track = Track::default();
        for millis in 1..20 {
            track.began(Duration::from_millis(millis));
        }
        assert_eq!(track.p95(), None, "too few");
        track.began(Duration::from_millis(1_000));
        assert_eq!(track.p95(), Some(Duration::from_secs(1)));
        for _ in 0..KEPT {
            track.began(Duration::from_millis(50));
        }
        assert_eq!(track.p95(), Some(Duration::from_millis(50)));
        for _ in 0..16 {
            track.outrun(Duration::from_secs(2));
        }
        assert_eq!(track.p95(), Some(Duration::from_secs(2)), "a time cut short counts");
    }

    fn fails(track: &Track, times: usize) {
        for _ in 0..times {
            track.failed(FailureKind::Overloaded, Health::Unhealthy);
        }
    }

    #[test]
    fn it_gets_no_hedge_while_most_attempts_fail() {
        let track = Track::default();
        for _ in 0..20 {
            track.failed(FailureKind::BadRequest, Health::Neutral);
            track.failed(FailureKind::Timeout(Phase::FirstToken), Health::Neutral);
        }
        assert_eq!(track.next_hedge(), None, "the caller caused it");
        for _ in 0..7 {
            track.failed(FailureKind::CircuitOpen, Health::Neutral);
        }
        assert!(track.next_hedge().is_some());
        track.began(Duration::ZERO);
        assert_eq!(track.next_hedge(), None);
    }

    /// Invariant 15.
    #[tokio::test(start_paused = true)]
    async fn after_a_while_one_hedge_is_a_probe() {
        let track = Track::default();
        assert!(!track.hedged());
        fails(&track, 20);
        assert_eq!(track.next_hedge(), Some(PROBE_AFTER));
        advance(PROBE_AFTER / 3).await;
        assert_eq!(track.next_hedge(), Some(PROBE_AFTER / 3 * 2));
        advance(PROBE_AFTER / 3 * 2).await;
        assert_eq!(track.next_hedge(), None);
        // One at a time, and one that never ends is not waited for longer than that.
        assert!(track.hedged());
        assert_eq!(track.next_hedge(), Some(PROBE_AFTER));
        advance(PROBE_AFTER).await;
        assert!(track.next_hedge().is_none() && track.hedged());
        fails(&track, 1);
        assert_eq!(track.next_hedge(), Some(PROBE_AFTER), "the probe failed");
        advance(PROBE_AFTER).await;
        assert!(track.hedged());
        track.outrun(Duration::ZERO);
        assert_eq!(
            track.next_hedge(),
            Some(PROBE_AFTER),
            "the probe has said nothing, and was one"
        );
        advance(PROBE_AFTER).await;
        assert!(track.next_hedge().is_none() && track.hedged());
        // After a success the next probe need not wait, until most attempts succeed.
        let mut probes = 0;
        while track.hedged() {
            track.began(Duration::ZERO);
            assert_eq!(track.next_hedge(), None);
            probes += 1;
        }
        assert!((2..20).contains(&probes), "{probes}");
    }
}
