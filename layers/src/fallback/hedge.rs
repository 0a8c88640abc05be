use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::track::Track;
use crate::{Candidate, Route, call::Known};

/// Candidates whose times are kept at most: a request may name any model, and each takes under a kilobyte.
const MOST_TRACKS: usize = 1_000;

/// One hedge, in the unit its budget counts in.
const HEDGE: u32 = 1_000;

/// What is there at the start, so that the first calls of a process may be hedged, too.
const SAVED_AT_FIRST: u32 = HEDGE;

/// Hedges that may be saved up in quiet times.
const MOST_SAVED: u32 = 10 * HEDGE;

/// Hedges a slow candidate: if no token arrives within the delay, the next candidate is tried in parallel. The first to produce a token
/// wins; the other attempt is dropped.
///
/// A dropped attempt may still be charged. Therefore hedges are bounded by a share of the calls, by the call's cap on attempts, and
/// by the budgets: each attempt is reserved in full, and a hedge that does not fit is not sent. None goes to a candidate
/// most of whose last attempts failed, were throttled or refused, because more load does not help then.
///
/// Clones share what was measured and the share that is left.
#[derive(Debug, Clone)]
pub struct Hedge {
    delay: Delay,
    ratio: u32,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Copy)]
enum Delay {
    Fixed(Duration),
    Live,
}

struct Shared {
    /// Thousandths of a hedge.
    saved: AtomicU32,
    /// Of streamed and of plain calls.
    tracks: [Known<Track>; 2],
}

impl Hedge {
    /// After this long without a first token.
    #[must_use]
    pub fn after(delay: Duration) -> Self {
        Self::new(Delay::Fixed(delay))
    }

    /// After a time within which 95 of a hundred answers of that candidate began: the 95th percentile of its last 128, measured
    /// apart for streamed and plain calls. Nothing is hedged before 20 were measured.
    #[must_use]
    pub fn p95() -> Self {
        Self::new(Delay::Live)
    }

    fn new(delay: Delay) -> Self {
        Self {
            delay,
            ratio: HEDGE / 10,
            shared: Arc::new(Shared {
                saved: AtomicU32::new(SAVED_AT_FIRST),
                tracks: [MOST_TRACKS; 2].map(Known::new),
            }),
        }
    }

    /// The share of calls that may be hedged: 0.1 by default. One is there at the start, and ten may be saved up in quiet times.
    ///
    /// Numbers below zero, or none at all, count as zero.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        // A float turns into the nearest whole number in range, and NaN into zero.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let ratio = (ratio.clamp(0.0, 1.0) * f64::from(HEDGE)) as u32;
        self.ratio = ratio;
        self
    }

    /// A call begins.
    pub(super) fn deposit(&self) {
        let saved = &self.shared.saved;
        // If nothing changes, as in quiet times, it is read and not written.
        let _full = saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
            let more = saved.saturating_add(self.ratio).min(MOST_SAVED);
            (more != saved).then_some(more)
        });
    }

    /// Whether there is a share left, for now.
    pub(super) fn has_share(&self) -> bool {
        self.ratio > 0 && self.shared.saved.load(Ordering::Relaxed) >= HEDGE
    }

    /// A hedge is about to be sent; `false` if the hedge ratio is used up.
    pub(super) fn withdraw(&self) -> bool {
        let saved = &self.shared.saved;
        let take = |saved: u32| saved.checked_sub(HEDGE);
        self.ratio > 0 && saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// The hedge was not sent after all.
    pub(super) fn refund(&self) {
        let saved = &self.shared.saved;
        let give = |saved: u32| Some(saved.saturating_add(HEDGE).min(MOST_SAVED));
        let _given = saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }

    /// How long to wait for this candidate; `None` if that is not known yet.
    pub(super) fn delay(&self, track: Option<&Track>) -> Option<Duration> {
        match self.delay {
            Delay::Fixed(delay) => Some(delay),
            Delay::Live => track?.p95(),
        }
    }

    /// What is known of a candidate on this route; `None` if it is new and there is no room.
    pub(super) fn track(&self, candidate: &Candidate, route: Route, streaming: bool) -> Option<Arc<Track>> {
        let [streamed, plain] = &self.shared.tracks;
        let known = if streaming { streamed } else { plain };
        let found = known.get(candidate, route);
        found.or_else(|| known.add((candidate, route), |_: &Track| None::<()>, Track::default))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("saved", &self.saved)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = f64::from(self.ratio) / f64::from(HEDGE) * 100.0;
        match self.delay {
            Delay::Fixed(delay) => write!(f, "a hedge after {delay:?}, for up to {share:.0} % of calls"),
            Delay::Live => write!(f, "a hedge after the live p95, for up to {share:.0} % of calls"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_hedged_than_the_share() {
        let hedge = Hedge::after(Duration::ZERO).ratio(0.05);
        let hedged = (0..1_000)
            .filter(|_| {
                hedge.deposit();
                hedge.withdraw()
            })
            .count();
        assert_eq!(hedged, 51, "and the one that is there at the start");
        for ratio in [0.0, -1.0, f64::NAN] {
            let never = Hedge::p95().ratio(ratio);
            never.deposit();
            assert!(!never.withdraw(), "{ratio}");
        }
    }

    #[test]
    fn quiet_times_save_ten_at_most() {
        let hedge = Hedge::p95().ratio(1.0);
        (0..1_000).for_each(|_| hedge.deposit());
        assert_eq!((0..1_000).filter(|_| hedge.withdraw()).count(), 10);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let hedge = Hedge::p95();
        let of = |number: usize| Candidate::new("router", &number.to_string()).unwrap();
        assert!((0..MOST_TRACKS).all(|number| hedge.track(&of(number), Route::FREE, true).is_some()));
        assert!(hedge.track(&of(MOST_TRACKS), Route::FREE, true).is_none());
        assert!(hedge.track(&of(0), Route::FREE, true).is_some());
    }
}
