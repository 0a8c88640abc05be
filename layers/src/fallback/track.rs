//! The times of a candidate's first tokens, from which a hedge takes its delay.

use std::time::Duration;

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

/// How soon a candidate begins its answers, and how often it fails.
#[derive(Debug, Default)]
pub(super) struct Track(Lock<Known>);

#[derive(Debug, Default)]
struct Known {
    times: Vec<Duration>,
    next: usize,
    p95: Option<Duration>,
    since: usize,
    failures: f32,
}

impl Track {
    /// An answer began after this long.
    pub(super) fn began(&self, after: Duration) {
        let mut known = self.0.lock();
        known.failures -= known.failures * NEWEST;
        known.time(after);
    }

    /// Another candidate was faster: it would have taken this long at least.
    pub(super) fn outrun(&self, after: Duration) {
        self.0.lock().time(after);
    }

    /// An attempt failed so. A failure that does not concern the upstream's health changes nothing.
    pub(super) fn failed(&self, kind: FailureKind) {
        if matches!(kind.advice().health, Health::Unhealthy | Health::Paused) || kind == FailureKind::CircuitOpen {
            let mut known = self.0.lock();
            known.failures += (1.0 - known.failures) * NEWEST;
        }
    }

    /// The time within which 95 of a hundred answers began, once enough were seen.
    pub(super) fn p95(&self) -> Option<Duration> {
        let mut known = self.0.lock();
        if known.times.len() >= NEEDED && (known.p95.is_none() || known.since >= STALE) {
            known.since = 0;
            let mut sorted = known.times.clone();
            let rank = sorted.len() * 95 / 100;
            known.p95 = Some(*sorted.select_nth_unstable(rank).1);
        }
        known.p95
    }

    /// Whether most of its last attempts failed.
    pub(super) fn is_degraded(&self) -> bool {
        self.0.lock().failures > DEGRADED
    }
}

impl Known {
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
    use super::*;

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

    #[test]
    fn it_is_degraded_while_most_attempts_fail() {
        let track = Track::default();
        for _ in 0..20 {
            track.failed(FailureKind::BadRequest);
        }
        assert!(!track.is_degraded(), "the caller caused it");
        for _ in 0..7 {
            track.failed(FailureKind::CircuitOpen);
        }
        assert!(track.is_degraded());
        track.began(Duration::ZERO);
        assert!(!track.is_degraded());
    }
}
