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
/// Pools of models that a key is remembered to be out of quota for. Beyond them, the one that ends first is forgotten.
const MOST_QUOTAS: usize = 16;

pub(super) struct Slot {
    pub(super) key: ApiKey,
    /// No other key of the pool has it, those before it in the same place included.
    pub(super) number: u64,
    throttled: Option<Rest>,
    /// The pools of models that it has no quota for.
    quotas: Vec<(u64, Rest)>,
    rejected: Option<Rejection>,
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
    /// Rejected then, and not probed before this long.
    Rejected(Instant, Duration),
}

impl Slot {
    pub(super) const fn new(key: ApiKey, number: u64) -> Self {
        Self {
            key,
            number,
            throttled: None,
            quotas: Vec::new(),
            rejected: None,
        }
    }

    pub(super) fn is(&self, key: &ApiKey) -> bool {
        self.key.header() == key.header()
    }

    pub(super) fn revive(&mut self) {
        self.throttled = None;
        self.quotas.clear();
        self.rejected = None;
    }

    pub(super) fn rejections(&self) -> u32 {
        self.rejected.map_or(0, |rejected| rejected.times)
    }

    pub(super) fn fitness(&mut self, quota: u64, now: impl FnOnce() -> Instant) -> Fitness {
        if self.throttled.is_none() && self.quotas.is_empty() && self.rejected.is_none() {
            return Fitness::Fit;
        }
        let now = now();
        self.throttled = self.throttled.filter(|rest| rest.standing(now) != Standing::Over);
        self.quotas.retain(|(_, rest)| rest.standing(now) != Standing::Over);
        let rejected = self.rejected.map(|rejected| (rejected.rest.standing(now), rejected.at));
        if let Some((Standing::Resting(left), at)) = rejected {
            return Fitness::Rejected(at, left);
        }
        let own = self.quotas.iter().find(|(of, _)| *of == quota).map(|(_, rest)| rest);
        let rests = self.throttled.iter().chain(own);
        let left = rests.filter_map(|rest| match rest.standing(now) {
            Standing::Resting(left) => Some(left),
            Standing::Over | Standing::ProbeDue => None,
        });
        match (left.max(), rejected, self.throttled.as_ref().or(own)) {
            (Some(left), ..) => Fitness::RateLimited(left),
            (None, None, None) => Fitness::Fit,
            (None, ..) => Fitness::ProbeDue,
        }
    }

    pub(super) fn state(&self, now: Instant) -> KeyState {
        if let Some(rejected) = &self.rejected {
            return KeyState::RejectedUntil(rejected.rest.next_look());
        }
        match self.throttled.filter(|rest| rest.standing(now) != Standing::Over) {
            Some(rest) => KeyState::RestingUntil(rest.next_look()),
            None => KeyState::Usable,
        }
    }

    /// A probe begins.
    pub(super) fn lease(&mut self, now: Instant) {
        let quotas = self.quotas.iter_mut().map(|(_, rest)| rest);
        let rests = self.throttled.iter_mut().chain(quotas);
        rests
            .chain(self.rejected.as_mut().map(|rejected| &mut rejected.rest))
            .for_each(|rest| rest.lease(now));
    }

    /// A probe has learned nothing.
    pub(super) fn give_back(&mut self, now: Instant) {
        let quotas = self.quotas.iter_mut().map(|(_, rest)| rest);
        let rests = self.throttled.iter_mut().chain(quotas);
        rests
            .chain(self.rejected.as_mut().map(|rejected| &mut rejected.rest))
            .for_each(|rest| rest.give_back(now));
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

    pub(super) fn throttled(&mut self, hint: Option<Duration>, now: Instant) {
        let length = hint.unwrap_or(DEFAULT_REST);
        put(&mut self.throttled, Rest::new(now, Some(length), PROBE));
    }

    pub(super) fn exhausted(&mut self, hint: Option<Duration>, quota: Option<u64>, now: Instant) {
        let rest = Rest::new(now, Some(hint.unwrap_or(DEFAULT_QUOTA)), QUOTA_PROBE);
        let Some(quota) = quota else {
            put(&mut self.throttled, rest);
            return;
        };
        self.quotas.retain(|(of, _)| *of != quota);
        if self.quotas.len() >= MOST_QUOTAS {
            self.quotas.sort_by_key(|(_, rest)| rest.until());
            self.quotas.remove(0);
        }
        self.quotas.push((quota, rest));
    }
}

/// A late, shorter hint does not cut a rest short.
fn put(known: &mut Option<Rest>, rest: Rest) {
    let longer = known.filter(|known| known.until() > rest.until());
    *known = Some(longer.unwrap_or(rest));
}
