//! Several keys for one upstream: which of them is used next, and what the upstream said of each.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    ApiKey, KeyError,
    slot::{Fitness, Slot, Use},
};

/// What is known of one key of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// May be used.
    Usable,
    /// Rate limited or out of quota: looked at again then.
    RestingUntil(Instant),
    /// The upstream rejected it: one attempt probes it from then on.
    RejectedUntil(Instant),
}

/// Several keys for one upstream, used in turn. Clones share the state: keep one as the handle by which keys are
/// [added](Self::add), [replaced](Self::replace) and [revived](Self::revive) at run time.
///
/// A key that the upstream rejects rests for 30 s, twice as long after each further rejection, up to 15 minutes; then one attempt probes it.
/// One that is rate limited rests until the upstream's hint, with one probe a minute; one that is out of quota until its reset, with one
/// probe an hour. A rate limit that counts for one candidate or its pool alone keeps the key for all others; if every key has met it, the one
/// that is looked at first is used, and the candidate is paused. If the upstream has rejected all keys, the least recently rejected one is used.
///
/// ```
/// use tower_llm_layers::auth::{ApiKey, KeyPool, KeyState};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = KeyPool::new([ApiKey::new("sk-old")?])?;
/// let handle = pool.clone(); // the pool itself goes into the stack
/// handle.add(ApiKey::new("sk-second")?);
/// assert!(handle.replace(0, ApiKey::new("sk-new")?));
/// assert_eq!(handle.states(), [KeyState::Usable; 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct KeyPool(Arc<Mutex<Pool>>);

struct Pool {
    slots: Vec<Slot>,
    next: usize,
    /// The number of the next key that is put in.
    numbered: u64,
}

/// A key that an attempt uses, and by which it reports the result to the pool. Dropped before that, a probe releases its lease.
pub(super) struct KeyLease {
    pool: KeyPool,
    index: usize,
    /// Which key stood there: another one may have been put in its place.
    number: u64,
    /// How often it had been rejected by then.
    rejections: u32,
    is_probe: bool,
    of: Use,
}

impl KeyPool {
    /// These keys, all usable.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Result<Self, KeyError> {
        let slots: Vec<_> = (0..).zip(keys).map(|(number, key)| Slot::new(key, number)).collect();
        if slots.is_empty() {
            return Err(KeyError::EmptyPool);
        }
        let numbered = slots.len() as u64;
        Ok(Self(Arc::new(Mutex::new(Pool {
            slots,
            next: 0,
            numbered,
        }))))
    }

    /// The state of each key, in the order they were given.
    #[must_use]
    pub fn states(&self) -> Vec<KeyState> {
        let now = Instant::now();
        self.lock().slots.iter().map(|slot| slot.state(now)).collect()
    }

    /// Adds a key after the others. One that is in the pool already is [revived](Self::revive) instead.
    pub fn add(&self, key: ApiKey) {
        let mut pool = self.lock();
        if let Some(known) = pool.slots.iter_mut().find(|slot| slot.is(&key)) {
            known.revive();
            return;
        }
        let slot = pool.slot(key);
        pool.slots.push(slot);
    }

    /// Puts another key in the place of this one, counted from 0 in the order of [`states`](Self::states). `false` if there is no such
    /// place. What an attempt under way reports of the old key does not count against the new one.
    #[must_use]
    pub fn replace(&self, index: usize, key: ApiKey) -> bool {
        let mut pool = self.lock();
        let new = pool.slot(key);
        pool.slots.get_mut(index).map(|slot| *slot = new).is_some()
    }

    /// Makes this key usable at once, whatever the upstream said of it: its quota was raised, or it was enabled again. `false` if there is no
    /// such place.
    #[must_use]
    pub fn revive(&self, index: usize) -> bool {
        self.lock().slots.get_mut(index).map(Slot::revive).is_some()
    }

    /// The next key for this use, or how long until there is one.
    pub(super) fn take(&self, of: Use) -> Result<(ApiKey, KeyLease), Duration> {
        let mut pool = self.lock();
        let count = pool.slots.len();
        // The clock is read only if the upstream has said something of a key.
        let mut now = None;
        let mut chosen = None;
        let mut soonest = Duration::MAX;
        let mut least_recent: Option<(Instant, usize)> = None;
        let mut any_throttled = false;
        let mut avoided: Option<(Duration, usize)> = None;
        for index in (pool.next..count).chain(0..pool.next.min(count)) {
            let Some(slot) = pool.slots.get_mut(index) else {
                continue;
            };
            match slot.fitness(of, || *now.get_or_insert_with(Instant::now)) {
                Fitness::Fit => chosen = Some((index, false)),
                Fitness::ProbeDue => chosen = Some((index, true)),
                Fitness::RateLimited(left) => {
                    any_throttled = true;
                    soonest = soonest.min(left);
                }
                Fitness::Avoided(left) => {
                    avoided = Some(avoided.map_or((left, index), |known| known.min((left, index))));
                }
                Fitness::Rejected(at, left) => {
                    soonest = soonest.min(left);
                    least_recent = Some(least_recent.map_or((at, index), |known| known.min((at, index))));
                }
            }
            if chosen.is_some() {
                break;
            }
        }
        // The upstream may have rejected all of them by mistake.
        let rejected = least_recent.filter(|_| !any_throttled).map(|(_, index)| (index, true));
        // Whether a candidate that every key is limited for is called at all, its pause decides.
        let avoided = avoided.map(|(_, index)| (index, true));
        let (index, is_probe) = chosen.or(avoided).or(rejected).ok_or(soonest)?;
        pool.next = (index + 1).checked_rem(count).unwrap_or_default();
        let slot = pool.slots.get_mut(index).ok_or(soonest)?;
        if let Some(now) = now.filter(|_| is_probe) {
            slot.lease(of, now);
        }
        let taken = KeyLease {
            pool: self.clone(),
            index,
            number: slot.number,
            rejections: slot.rejections(),
            is_probe,
            of,
        };
        Ok((slot.key.clone(), taken))
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn slot(&mut self, key: ApiKey) -> Slot {
        self.numbered += 1;
        Slot::new(key, self.numbered - 1)
    }
}

impl KeyLease {
    /// The upstream rejected it. Whether another key is usable.
    pub(super) fn rejected(self) -> bool {
        let rejections = self.rejections;
        self.note(|slot, now| slot.rejected(rejections, now), true)
    }

    /// It was rate limited, for everything. Whether another key is usable.
    pub(super) fn rate_limited(self, hint: Option<Duration>) -> bool {
        self.note(|slot, now| slot.rate_limited(hint, now), true)
    }

    /// It was rate limited, for this candidate or pool. Whether another key is not.
    pub(super) fn limited(self, hint: Option<Duration>, of: u64) -> bool {
        self.note(|slot, now| slot.limited(hint, of, now), false)
    }

    /// Its quota is exhausted: of everything, or of what this pool of models is paid from. Whether another key is usable for that.
    pub(super) fn exhausted(self, hint: Option<Duration>, quota: Option<u64>) -> bool {
        self.note(|slot, now| slot.exhausted(hint, quota, now), true)
    }

    /// The upstream accepted it, and says that it may be used again for this candidate after so long. Whether another key may be used until
    /// then; otherwise it does not rest.
    #[cfg(feature = "pause")]
    pub(super) fn paced(mut self, gap: Duration, of: u64) -> bool {
        let is_probe = std::mem::take(&mut self.is_probe);
        let (mut pool, now) = (self.pool.lock(), Instant::now());
        let (this, number) = (self.index, self.number);
        let mut others = pool.slots.iter_mut().enumerate().filter(|(index, _)| *index != this);
        let has_other = others.any(|(_, slot)| matches!(slot.fitness(self.of, || now), Fitness::Fit));
        if let Some(slot) = pool.slots.get_mut(this).filter(|slot| slot.number == number) {
            if is_probe {
                slot.accepted(self.of);
            }
            if has_other {
                slot.limited(Some(gap), of, now);
            }
        }
        has_other
    }

    /// The upstream accepted it.
    pub(super) fn accepted(mut self) {
        if std::mem::take(&mut self.is_probe) {
            let of = self.of;
            self.change(|slot, _| slot.accepted(of));
        }
    }

    /// `or_avoided`: whether a key counts as usable that is limited for the same use.
    fn note(mut self, note: impl FnOnce(&mut Slot, Instant), or_avoided: bool) -> bool {
        self.is_probe = false;
        self.change(note);
        let (mut pool, now) = (self.pool.lock(), Instant::now());
        let mut others = pool.slots.iter_mut();
        others.any(|slot| match slot.fitness(self.of, || now) {
            Fitness::Fit | Fitness::ProbeDue => true,
            Fitness::Avoided(_) => or_avoided,
            Fitness::RateLimited(_) | Fitness::Rejected(..) => false,
        })
    }

    fn change(&self, change: impl FnOnce(&mut Slot, Instant)) {
        let (mut pool, now) = (self.pool.lock(), Instant::now());
        let slot = pool.slots.get_mut(self.index);
        if let Some(slot) = slot.filter(|slot| slot.number == self.number) {
            change(slot, now);
        }
    }
}

impl Drop for KeyLease {
    fn drop(&mut self) {
        if self.is_probe {
            let of = self.of;
            self.change(|slot, now| slot.give_back(of, now));
        }
    }
}

impl fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPool").field(&self.states()).finish()
    }
}
