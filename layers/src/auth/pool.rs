use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{ApiKey, KeyError};

/// How long a throttled key rests where the upstream gave no hint.
const DEFAULT_REST: Duration = Duration::from_secs(10);
/// The longest rest: a hint beyond is looked at again after this.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// What is known of one key of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// May be used.
    Usable,
    /// Throttled or out of quota until then.
    RestingUntil(Instant),
    /// Rejected: never used again by this process.
    Dead,
}

/// Several keys for one upstream, used in turn; dead and resting ones are left out. Clones share the state.
#[derive(Clone)]
pub struct KeyPool(Arc<Mutex<Pool>>);

struct Pool {
    keys: Vec<(ApiKey, KeyState)>,
    next: usize,
}

/// Which key an attempt used, for telling the pool how it went.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyIndex(usize);

impl KeyPool {
    /// These keys, all usable.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn new(keys: impl IntoIterator<Item = ApiKey>) -> Result<Self, KeyError> {
        let keys: Vec<_> = keys.into_iter().map(|key| (key, KeyState::Usable)).collect();
        if keys.is_empty() {
            return Err(KeyError::EmptyPool);
        }
        Ok(Self(Arc::new(Mutex::new(Pool { keys, next: 0 }))))
    }

    /// The state of each key, in the order they were given.
    #[must_use]
    pub fn states(&self) -> Vec<KeyState> {
        let now = Instant::now();
        self.lock().keys.iter().map(|(_, state)| at(*state, now)).collect()
    }

    /// The next usable key, or how long until one is.
    pub(super) fn take(&self) -> Result<(ApiKey, KeyIndex), Option<Duration>> {
        let mut pool = self.lock();
        let count = pool.keys.len();
        // The clock is read only where some key rests.
        let mut now = None;
        for offset in 0..count {
            let index = (pool.next + offset) % count;
            let Some((key, state)) = pool.keys.get_mut(index) else {
                continue;
            };
            if let KeyState::RestingUntil(_) = state {
                *state = at(*state, *now.get_or_insert_with(Instant::now));
            }
            if *state == KeyState::Usable {
                let key = key.clone();
                pool.next = (index + 1) % count;
                return Ok((key, KeyIndex(index)));
            }
        }
        let now = now.unwrap_or_else(Instant::now);
        let soonest = pool.keys.iter().filter_map(|(_, state)| match state {
            KeyState::RestingUntil(until) => Some(until.saturating_duration_since(now)),
            KeyState::Usable | KeyState::Dead => None,
        });
        Err(soonest.min())
    }

    /// This key was rejected. Whether another one is usable.
    pub(super) fn bury(&self, index: KeyIndex) -> bool {
        self.mark(index, KeyState::Dead)
    }

    /// This key was throttled. Whether another one is usable.
    pub(super) fn rest(&self, index: KeyIndex, hint: Option<Duration>) -> bool {
        let until = Instant::now() + hint.unwrap_or(DEFAULT_REST).min(LONGEST_REST);
        self.mark(index, KeyState::RestingUntil(until))
    }

    fn mark(&self, index: KeyIndex, new: KeyState) -> bool {
        let mut pool = self.lock();
        if let Some((_, state)) = pool.keys.get_mut(index.0) {
            *state = match (*state, new) {
                (KeyState::Dead, _) => KeyState::Dead,
                // A late, shorter hint does not cut a rest short.
                (KeyState::RestingUntil(known), KeyState::RestingUntil(until)) => {
                    KeyState::RestingUntil(known.max(until))
                }
                _ => new,
            };
        }
        let now = Instant::now();
        pool.keys.iter().any(|(_, state)| at(*state, now) == KeyState::Usable)
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A state as it stands at this instant.
fn at(state: KeyState, now: Instant) -> KeyState {
    match state {
        KeyState::RestingUntil(until) if until <= now => KeyState::Usable,
        state => state,
    }
}

impl fmt::Debug for KeyPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPool").field(&self.states()).finish()
    }
}
