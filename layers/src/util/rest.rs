//! A verdict that ends: until when nothing passes, and when one attempt may probe it.

use std::time::Duration;

use tokio::time::Instant;

use super::after;

/// Nothing passes until it is over; meanwhile one attempt in so long is a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    /// `None` if only a probe that goes well ends it.
    until: Option<Instant>,
    /// When the next attempt may be a probe. While one is under way, the end of its lease: it may never be polled again.
    probe_at: Instant,
    every: Duration,
}

/// How a verdict stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is over.
    Over,
    /// The next attempt is the probe.
    ProbeDue,
    /// It is looked at again after this long.
    Resting(Duration),
}

impl Rest {
    /// Rests for so long, or until a probe goes well; a probe may be made each so long.
    pub(crate) fn new(now: Instant, length: Option<Duration>, every: Duration) -> Self {
        Self {
            until: length.map(|length| after(now, length)),
            probe_at: after(now, every),
            every,
        }
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        let next = self.next_look();
        match self.until {
            Some(until) if until <= now => Standing::Over,
            _ if self.probe_at <= now => Standing::ProbeDue,
            _ => Standing::Resting(next.saturating_duration_since(now)),
        }
    }

    /// When it is looked at again, at the latest.
    pub(crate) fn next_look(&self) -> Instant {
        self.until.map_or(self.probe_at, |until| until.min(self.probe_at))
    }

    /// When it is over by itself.
    #[cfg(any(feature = "auth", feature = "pause"))]
    pub(crate) const fn until(&self) -> Option<Instant> {
        self.until
    }

    /// A probe begins: the next one may not, until this one's lease ends.
    pub(crate) fn lease(&mut self, now: Instant) {
        self.probe_at = after(now, self.every);
    }

    /// The probe was dropped, and learned nothing.
    #[cfg(any(feature = "auth", feature = "pause"))]
    pub(crate) const fn give_back(&mut self, now: Instant) {
        self.probe_at = now;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::util::MAX_DURATION;

    #[tokio::test(start_paused = true)]
    async fn it_is_probed_once_in_each_interval_and_then_over() {
        let mut rest = Rest::new(Instant::now(), Some(Duration::from_secs(150)), Duration::from_secs(60));
        let mut probed = Vec::new();
        for second in 0..=150 {
            match rest.standing(Instant::now()) {
                Standing::ProbeDue => {
                    rest.lease(Instant::now());
                    probed.push(second);
                }
                Standing::Over => assert_eq!(second, 150),
                Standing::Resting(left) => assert!(left <= Duration::from_secs(60) && !left.is_zero()),
            }
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(probed, [60, 120]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_end_it_is_probed_again_and_again() {
        let now = Instant::now();
        let mut rest = Rest::new(now, None, Duration::MAX);
        assert_eq!(rest.standing(now), Standing::Resting(MAX_DURATION));
        rest.give_back(now);
        assert_eq!(rest.standing(now), Standing::ProbeDue);
    }
}
