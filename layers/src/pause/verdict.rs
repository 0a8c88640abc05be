//! What is remembered of one candidate, one pool or one upstream.

use std::time::Duration;

use tokio::time::Instant;

use super::RateLimitStatus;
use crate::{
    Candidate, FailureKind, FailureScope,
    util::{Rest, Standing, after},
};

/// A pause of a rate limit is probed this often.
const PROBE: Duration = Duration::from_secs(60);
/// A quota that is exhausted is probed this often.
const QUOTA_PROBE: Duration = Duration::from_secs(60 * 60);
/// How long a quota is exhausted if the upstream does not say.
const DEFAULT_QUOTA: Duration = Duration::from_secs(24 * 60 * 60);
/// So many rate limits without a hint, in a row, pause.
const BARE: u32 = 3;
/// For so long at first, twice as long with each further one, and so long at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Verdict {
    /// The candidate that met it, and how far it reaches.
    pub(super) candidate: Candidate,
    pub(super) scope: FailureScope,
    pub(super) kind: FailureKind,
    /// Rate limits without a hint, in a row.
    bare: u32,
    pub(super) rest: Option<Rest>,
    /// Which of all rests of the table this one is; 0 without one. Attempts that began before it do not count for it.
    pub(super) era: u64,
    is_probed: bool,
    pace: Option<Pace>,
    pub(super) touched: Instant,
}

/// Calls are spread out.
#[derive(Debug, Clone, Copy)]
struct Pace {
    gap: Duration,
    next: Instant,
    until: Instant,
}

/// Why no call may pass now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ActivePause {
    pub(super) kind: FailureKind,
    /// When it is looked at again.
    pub(super) next_look: Duration,
    /// When it is over by itself.
    pub(super) ends_in: Duration,
    /// Whether a probe is under way, which may end it at any time.
    pub(super) is_probed: bool,
}

impl Verdict {
    pub(super) const fn new(candidate: Candidate, scope: FailureScope, now: Instant) -> Self {
        Self {
            candidate,
            scope,
            kind: FailureKind::RateLimited,
            bare: 0,
            rest: None,
            era: 0,
            is_probed: false,
            pace: None,
            touched: now,
        }
    }

    /// Why no call may pass now; `Ok(true)` if the next one is a probe.
    pub(super) fn look(&mut self, now: Instant) -> Result<bool, ActivePause> {
        self.forget_past(now);
        if let Some(pace) = self.pace.filter(|pace| pace.next > now) {
            return Err(ActivePause {
                kind: FailureKind::RateLimited,
                next_look: pace.next - now,
                ends_in: pace.next - now,
                is_probed: false,
            });
        }
        match self.rest.map(|rest| rest.standing(now)) {
            None | Some(Standing::Over) => Ok(false),
            Some(Standing::ProbeDue) => Ok(true),
            Some(Standing::Resting(next_look)) => Err(ActivePause {
                kind: self.kind,
                next_look,
                ends_in: self
                    .rest
                    .and_then(|rest| rest.until())
                    .map_or(next_look, |until| until.saturating_duration_since(now)),
                is_probed: self.is_probed,
            }),
        }
    }

    /// A call passes.
    pub(super) fn pass(&mut self, now: Instant, is_probe: bool) {
        if let Some(pace) = &mut self.pace {
            pace.next = pace.next.max(now) + pace.gap;
        }
        if let Some(rest) = self.rest.as_mut().filter(|_| is_probe) {
            rest.lease(now);
            self.is_probed = true;
        }
    }

    /// The probe was dropped.
    pub(super) fn give_back(&mut self, now: Instant) {
        self.is_probed = false;
        if let Some(rest) = &mut self.rest {
            rest.give_back(now);
        }
    }

    /// An attempt failed so, that began when this era was the newest. Says for how long there is a pause now, if it is new.
    pub(super) fn failed(
        &mut self,
        kind: FailureKind,
        hint: Option<Duration>,
        (begun, next_era): (u64, u64),
        now: Instant,
    ) -> Option<Duration> {
        self.touched = now;
        let is_late = begun < self.era;
        let (length, every) = match (kind, hint.filter(|hint| !hint.is_zero())) {
            (FailureKind::QuotaExhausted, hint) => (hint.unwrap_or(DEFAULT_QUOTA), QUOTA_PROBE),
            (_, Some(hint)) => (hint, PROBE),
            (_, None) => (self.bare(is_late)?, PROBE),
        };
        let rest = Rest::new(now, Some(length), every);
        // What an attempt says that began before the pause does not cut it short; a probe has the last word.
        if is_late && self.rest.is_some_and(|known| known.until() > rest.until()) {
            return None;
        }
        (self.kind, self.rest, self.era, self.is_probed) = (kind, Some(rest), next_era, false);
        Some(length)
    }

    /// One more without a hint: how long to pause for it. Those that were under way together count once a pause has begun.
    fn bare(&mut self, is_late: bool) -> Option<Duration> {
        if is_late {
            return None;
        }
        self.bare = self.bare.saturating_add(1);
        let further = self.bare.checked_sub(BARE)?;
        let length = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(further));
        Some(length.min(LONGEST_PAUSE))
    }

    /// A success says how little is left.
    pub(super) fn slow_down(&mut self, status: &RateLimitStatus, now: Instant) {
        self.touched = now;
        self.pace = status.gap().map(|gap| Pace {
            gap,
            next: now + gap,
            until: after(now, status.reset),
        });
    }

    /// Ends the pause, and all that was counted.
    pub(super) const fn lift(&mut self) {
        (self.bare, self.rest, self.is_probed) = (0, None, false);
    }

    /// Whether it is a pause now, and not only a count or calls that are spread out.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.rest.is_some_and(|rest| rest.standing(now) != Standing::Over)
    }

    /// Whether there is nothing to be remembered.
    pub(super) const fn is_empty(&self) -> bool {
        self.bare == 0 && self.rest.is_none() && self.pace.is_none()
    }

    /// The order in which verdicts are forgotten if there are too many: those that pause nothing first, then the one that ends first.
    pub(super) fn worth(&self) -> (bool, Option<Instant>) {
        (self.rest.is_some(), self.rest.and_then(|rest| rest.until()))
    }

    fn forget_past(&mut self, now: Instant) {
        self.pace = self.pace.filter(|pace| pace.until > now);
        self.rest = self.rest.filter(|rest| rest.standing(now) != Standing::Over);
    }
}
