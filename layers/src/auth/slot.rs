//! One key of a pool, and what the upstream said of it.

use std::time::Duration;

use tokio::time::Instant;

use super::{ApiKey, KeyState};
use crate::util::{Rest, Standing};

/// How long a rate limited key rests if the upstream gave no hint.
const DEFAULT_REST: Duration = Duration::from_secs(10);
/// The same of one whose quota is exhausted.
const DEFAULT_QUOTA: Duration = Duration::from_secs(24 * 60 * 60);
/// A key that is rate limited is probed this often.
const PROBE: Duration = Duration::from_secs(60);
/// A key whose quota is exhausted is probed this often: a failed probe may count against it.
const QUOTA_PROBE: Duration = Duration::from_secs(60 * 60);
/// How long a rejected key rests at first.
const FIRST_REJECTION: Duration = Duration::from_secs(30);
/// And at most.
const LONGEST_REJECTION: Duration = Duration::from_secs(15 * 60);
/// Candidates and pools that a key is remembered to be limited for. Beyond them, the one that ends first is forgotten.
const MOST_APART: usize = 64;

/// What an attempt uses a key for: the hashes of its candidate and of its pool.
pub(super) type Use = [u64; 2];

pub(super) struct Slot {
    pub(super) key: ApiKey,
    /// No other key of the pool has it, those before it in the same place included.
    pub(super) number: u64,
    rate_limited: Option<Rest>,
    /// What it is limited for alone.
    apart: Vec<Apart>,
    rejected: Option<Rejection>,
}

/// One candidate or pool that a key rests for.
struct Apart {
    of: u64,
    rest: Rest,
    /// Out of quota, and not rate limited.
    is_quota: bool,
}

#[derive(Clone, Copy)]
struct Rejection {
    rest: Rest,
    at: Instant,
    /// In a row.
    times: u32,
}

/// Whether a key may be used now.
pub(super) enum Fitness {
    Fit,
    ProbeDue,
    /// Not before this long.
    RateLimited(Duration),
    /// Rate limited for this use for so long: any other key is better.
    Avoided(Duration),
    /// Rejected then, and not probed before this long.
    Rejected(Instant, Duration),
}

impl Slot {
    pub(super) const fn new(key: ApiKey, number: u64) -> Self {
        Self {
            key,
            number,
            rate_limited: None,
            apart: Vec::new(),
            rejected: None,
        }
    }

    pub(super) fn is(&self, key: &ApiKey) -> bool {
        self.key.header() == key.header()
    }

    pub(super) fn revive(&mut self) {
        self.apart.clear();
        self.accepted([0; 2]);
    }

    /// The upstream accepted it for this use.
    pub(super) fn accepted(&mut self, of: Use) {
        self.rate_limited = None;
        self.apart.retain(|apart| !of.contains(&apart.of));
        self.rejected = None;
    }

    pub(super) fn rejections(&self) -> u32 {
        self.rejected.map_or(0, |rejected| rejected.times)
    }

    pub(super) fn fitness(&mut self, of: Use, now: impl FnOnce() -> Instant) -> Fitness {
        if self.rate_limited.is_none() && self.apart.is_empty() && self.rejected.is_none() {
            return Fitness::Fit;
        }
        let now = now();
        self.rate_limited = self.rate_limited.filter(|rest| rest.standing(now) != Standing::Over);
        self.apart.retain(|apart| apart.rest.standing(now) != Standing::Over);
        let rejected = self.rejected.map(|rejected| (rejected.rest.standing(now), rejected.at));
        if let Some((Standing::Resting(left), at)) = rejected {
            return Fitness::Rejected(at, left);
        }
        let left = |rest: &Rest| match rest.standing(now) {
            Standing::Resting(left) => Some(left),
            Standing::Over | Standing::ProbeDue => None,
        };
        let own = |is_quota: bool| {
            let own = self.apart.iter().filter(move |apart| of.contains(&apart.of));
            own.filter(move |apart| apart.is_quota == is_quota)
                .map(|apart| &apart.rest)
        };
        if let Some(left) = self.rate_limited.iter().chain(own(true)).filter_map(left).max() {
            return Fitness::RateLimited(left);
        }
        if let Some(left) = own(false).filter_map(left).max() {
            return Fitness::Avoided(left);
        }
        let is_clear =
            rejected.is_none() && self.rate_limited.is_none() && own(true).chain(own(false)).next().is_none();
        if is_clear { Fitness::Fit } else { Fitness::ProbeDue }
    }

    pub(super) fn state(&self, now: Instant) -> KeyState {
        if let Some(rejected) = &self.rejected {
            return KeyState::RejectedUntil(rejected.rest.next_look());
        }
        match self.rate_limited.filter(|rest| rest.standing(now) != Standing::Over) {
            Some(rest) => KeyState::RestingUntil(rest.next_look()),
            None => KeyState::Usable,
        }
    }

    /// A probe for this use begins.
    pub(super) fn lease(&mut self, of: Use, now: Instant) {
        self.rests(of).for_each(|rest| rest.lease(now));
    }

    /// A probe for this use has learned nothing.
    pub(super) fn give_back(&mut self, of: Use, now: Instant) {
        self.rests(of).for_each(|rest| rest.give_back(now));
    }

    fn rests(&mut self, of: Use) -> impl Iterator<Item = &mut Rest> {
        let own = self.apart.iter_mut().filter(move |apart| of.contains(&apart.of));
        let rests = self.rate_limited.iter_mut().chain(own.map(|apart| &mut apart.rest));
        rests.chain(self.rejected.as_mut().map(|rejected| &mut rejected.rest))
    }

    /// It was rejected, says an attempt that began after so many rejections. Those that were under way together count once.
    pub(super) fn rejected(&mut self, begun_after: u32, now: Instant) {
        let times = self.rejections().max(begun_after.saturating_add(1));
        if times == self.rejections() {
            return;
        }
        let twice = 2_u32.saturating_pow(times - 1);
        let length = FIRST_REJECTION.saturating_mul(twice).min(LONGEST_REJECTION);
        let rest = Rest::new(now, None, length);
        self.rejected = Some(Rejection { rest, at: now, times });
    }

    pub(super) fn rate_limited(&mut self, hint: Option<Duration>, now: Instant) {
        let length = hint.unwrap_or(DEFAULT_REST);
        put(&mut self.rate_limited, Rest::new(now, Some(length), PROBE));
    }

    pub(super) fn exhausted(&mut self, hint: Option<Duration>, quota: Option<u64>, now: Instant) {
        let rest = Rest::new(now, Some(hint.unwrap_or(DEFAULT_QUOTA)), QUOTA_PROBE);
        let Some(quota) = quota else {
            put(&mut self.rate_limited, rest);
            return;
        };
        self.rest_apart(quota, rest, true);
    }

    /// It was rate limited for this candidate or pool alone.
    pub(super) fn limited(&mut self, hint: Option<Duration>, of: u64, now: Instant) {
        let hint = hint.filter(|hint| !hint.is_zero());
        self.rest_apart(of, Rest::new(now, hint, PROBE), false);
    }

    fn rest_apart(&mut self, of: u64, rest: Rest, is_quota: bool) {
        self.apart.retain(|apart| apart.of != of);
        if self.apart.len() >= MOST_APART {
            self.apart.sort_by_key(|apart| apart.rest.next_look());
            self.apart.remove(0);
        }
        self.apart.push(Apart { of, rest, is_quota });
    }
}

/// A late, shorter hint does not cut a rest short.
fn put(known: &mut Option<Rest>, rest: Rest) {
    let longer = known.filter(|known| known.until() > rest.until());
    *known = Some(longer.unwrap_or(rest));
}
