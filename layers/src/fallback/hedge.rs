//! When a second candidate is called beside the first, and what that may cost.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::track::Track;
use crate::{Candidate, Route, call::CandidateMap, util::Share};

/// Candidates whose times are kept at most, and a tenth of that for routes that requests pin: a request may name any model, and each takes under
/// a kilobyte. Beyond that, the least recently used are evicted.
const MOST_TRACKS: usize = 1_000;

/// What is there at the start, so that the first calls of a process may be hedged, too.
const SAVED_AT_FIRST: f64 = 1.0;

/// Hedges that may be saved up in quiet times.
const MOST_SAVED: f64 = 10.0;

/// Hedges a slow candidate: if no token arrives within the delay, the next candidate is tried in parallel. The first to produce a token
/// wins; the other attempt is dropped.
///
/// A dropped attempt may still be charged. Therefore hedges are bounded by a share of the calls, by the call's cap on attempts, and
/// by the budgets: each attempt is reserved in full, and a hedge that does not fit is not sent. None goes to a candidate
/// most of whose last attempts failed, were rate limited or refused, because more load does not help then; but 30 s after its last failure one
/// hedge is sent as a probe.
///
/// Clones share what was measured and the share that is left.
#[derive(Debug, Clone)]
pub struct Hedge {
    delay: Delay,
    ratio: f64,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Copy)]
enum Delay {
    Fixed(Duration),
    Live,
}

struct Shared {
    saved: Share,
    /// How often a track was looked up.
    uses: AtomicU64,
    /// Of streamed and of plain calls.
    tracks: [CandidateMap<Track>; 2],
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
            ratio: 0.1,
            shared: Arc::new(Shared {
                saved: Share::new(SAVED_AT_FIRST, MOST_SAVED),
                uses: AtomicU64::new(0),
                tracks: [MOST_TRACKS; 2].map(CandidateMap::new),
            }),
        }
    }

    /// The share of calls that may be hedged: 0.1 by default. One is there at the start, and ten may be saved up in quiet times.
    ///
    /// Numbers below zero, or none at all, count as zero.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio.clamp(0.0, 1.0).max(0.0);
        self
    }

    /// A call begins.
    pub(super) fn deposit(&self) {
        self.shared.saved.add(self.ratio);
    }

    /// Whether there is a share left, for now.
    pub(super) fn has_share(&self) -> bool {
        self.ratio > 0.0 && self.shared.saved.left() >= 1.0
    }

    /// A hedge is about to be sent; `false` if the hedge ratio is used up.
    pub(super) fn withdraw(&self) -> bool {
        self.ratio > 0.0 && self.shared.saved.take()
    }

    /// The hedge was not sent after all.
    pub(super) fn refund(&self) {
        self.shared.saved.add(1.0);
    }

    /// How long to wait for this candidate; `None` if that is not known yet.
    pub(super) fn delay(&self, track: Option<&Track>) -> Option<Duration> {
        match self.delay {
            Delay::Fixed(delay) => Some(delay),
            Delay::Live => track?.p95(),
        }
    }

    /// What is known of a candidate on this route; `None` if it is new and every track there is room for is in use.
    pub(super) fn track(&self, candidate: &Candidate, route: Route, streaming: bool) -> Option<Arc<Track>> {
        let [streamed, plain] = &self.shared.tracks;
        let known = if streaming { streamed } else { plain };
        let add = || {
            known.add(
                (candidate, route),
                |track: &Track| Some(track.last_use()),
                Track::default,
            )
        };
        let track = known.get(candidate, route).or_else(add)?;
        track.touch(self.shared.uses.fetch_add(1, Ordering::Relaxed));
        Some(track)
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
        let share = self.ratio * 100.0;
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

    /// Measures a candidate often enough for a percentile.
    fn measured(track: Option<Arc<Track>>) -> bool {
        track.is_some_and(|track| {
            (0..20).for_each(|_| track.began(Duration::from_secs(1)));
            track.p95().is_some()
        })
    }

    /// Invariant 11.
    #[test]
    fn the_least_recently_used_make_room_for_new_ones() {
        let hedge = Hedge::p95();
        let of = |number: usize| Candidate::new("router", &number.to_string()).unwrap();
        let free = |number: usize| hedge.track(&of(number), Route::FREE, true);
        assert!((0..MOST_TRACKS).all(|number| measured(free(number))));
        assert!(free(0).is_some(), "used last");
        for number in MOST_TRACKS..3 * MOST_TRACKS {
            assert!(measured(free(number)), "{number}");
            assert!(
                free(0).is_some_and(|track| track.p95().is_some()),
                "it is used all the time"
            );
        }
        assert!(
            free(1).is_some_and(|track| track.p95().is_none()),
            "it was not used again"
        );
        let [streamed, _] = &hedge.shared.tracks;
        assert!(streamed.all().len() <= MOST_TRACKS);
        // What is in use is never evicted.
        let held: Vec<_> = (0..MOST_TRACKS).filter_map(free).collect();
        assert_eq!(held.len(), MOST_TRACKS);
        assert!(free(MOST_TRACKS).is_none());
    }

    #[test]
    fn routes_that_requests_pin_make_room_for_new_ones_too() {
        let hedge = Hedge::p95();
        let candidate = Candidate::new("router", "a").unwrap();
        assert!(measured(hedge.track(&candidate, Route::FREE, true)));
        for number in 0..MOST_TRACKS {
            let route = Route::of([number.to_string().as_bytes()]);
            assert!(measured(hedge.track(&candidate, route, true)), "{number}");
        }
        let free = hedge.track(&candidate, Route::FREE, true);
        assert!(free.is_some_and(|track| track.p95().is_some()));
    }
}
