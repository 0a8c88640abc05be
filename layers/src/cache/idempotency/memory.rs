//! The answers of one process by their idempotency keys, bounded in keys and in bytes.

use std::{collections::HashMap, fmt, future::ready, sync::Arc, time::Duration};

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use tokio::time::Instant;

use super::{Claim, Claiming, IdempotencyClaim, IdempotencyStore, Keeping};
use crate::{
    cache::{AnswerKey, CachedResponse},
    util::{Lock, after},
};

/// Bytes of a key and what is known of it, without the response, roughly.
const KEY_OVERHEAD: u64 = 192;

/// The most keys by default; each takes some two hundred bytes in addition to its answer.
const MAX_KEYS: usize = 100_000;

/// Keeps the answers of one process in memory. Clones share it.
///
/// When it is full, the answers that came longest ago are forgotten, before their time: their keys are then as new. Give it room for the answers
/// of the time in which clients repeat their calls. Calls in flight are never forgotten.
pub struct InMemoryIdempotency<D>(Arc<Shared<D>>);

struct Shared<D> {
    bytes: u64,
    max_keys: usize,
    state: Lock<State<D>>,
}

struct State<D> {
    running: HashMap<AnswerKey, Running, RandomState>,
    /// In the order in which they came.
    answered: LinkedHashMap<AnswerKey, Answered<D>, RandomState>,
    bytes: u64,
    claims: u64,
}

#[derive(Clone, Copy)]
struct Running {
    request: AnswerKey,
    claim: u64,
}

struct Answered<D> {
    request: AnswerKey,
    /// `None` if it was too large.
    response: Option<CachedResponse<D>>,
    over: Instant,
    bytes: u64,
}

impl<D> InMemoryIdempotency<D> {
    /// Keeps so many bytes of answers at most, and 100 000 keys.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self::with(bytes, MAX_KEYS)
    }

    /// Keeps so many keys at most, and one at least.
    #[must_use]
    pub fn max_keys(self, keys: usize) -> Self {
        Self::with(self.0.bytes, keys.max(1))
    }

    fn with(bytes: u64, max_keys: usize) -> Self {
        let state = State {
            running: HashMap::default(),
            answered: LinkedHashMap::default(),
            bytes: 0,
            claims: 0,
        };
        Self(Arc::new(Shared {
            bytes,
            max_keys,
            state: Lock::new(state),
        }))
    }

    /// How many keys are known, those in flight included.
    #[must_use]
    pub fn keys(&self) -> usize {
        let state = self.0.state.lock();
        state.running.len() + state.answered.len()
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.state.lock().bytes
    }
}

impl<D> State<D> {
    /// Takes out what is over, the oldest first, and what does not fit: to be dropped with no lock held.
    fn make_room(&mut self, bytes: u64, max_keys: usize) -> Vec<Answered<D>> {
        let now = Instant::now();
        let mut gone = Vec::new();
        while let Some((_, oldest)) = self.answered.front() {
            let is_over = oldest.over <= now;
            if !is_over && self.bytes <= bytes && self.answered.len() <= max_keys {
                break;
            }
            let Some((_, oldest)) = self.answered.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            gone.push(oldest);
        }
        gone
    }

    /// Takes out what is known of this key if its time is over: it may stand behind one that is kept for longer, and is then still there.
    fn take_stale(&mut self, key: &AnswerKey) -> Option<Answered<D>> {
        let now = Instant::now();
        if self.answered.get(key).is_none_or(|answered| answered.over > now) {
            return None;
        }
        let answered = self.answered.remove(key)?;
        self.bytes = self.bytes.saturating_sub(answered.bytes);
        Some(answered)
    }
}

impl<D> IdempotencyStore<D> for InMemoryIdempotency<D>
where
    D: Send + Sync + 'static,
{
    fn claim(&self, key: &AnswerKey, request: &AnswerKey) -> Claiming<D> {
        let mut state = self.0.state.lock();
        let mut gone = state.make_room(self.0.bytes, self.0.max_keys);
        gone.extend(state.take_stale(key));
        let claim = if let Some(running) = state.running.get(key) {
            if running.request == *request {
                Claim::InFlight
            } else {
                Claim::OtherRequest
            }
        } else {
            match state.answered.get(key) {
                Some(answered) if answered.request != *request => Claim::OtherRequest,
                Some(answered) => answered.response.clone().map_or(Claim::TooLarge, Claim::Kept),
                None => {
                    state.claims += 1;
                    let running = Running {
                        request: *request,
                        claim: state.claims,
                    };
                    state.running.insert(*key, running);
                    Claim::Taken(Box::new(Held {
                        shared: Arc::clone(&self.0),
                        key: *key,
                        running,
                    }))
                }
            }
        };
        drop(state);
        drop(gone);
        Box::pin(ready(Ok(claim)))
    }
}

/// The claim of a call in flight.
struct Held<D> {
    shared: Arc<Shared<D>>,
    key: AnswerKey,
    running: Running,
}

impl<D: Send + Sync + 'static> IdempotencyClaim<D> for Held<D> {
    fn keep(self: Box<Self>, response: Option<CachedResponse<D>>, keep_for: Duration) -> Keeping {
        let size = |response: &CachedResponse<D>| u64::try_from(response.size_in_bytes()).unwrap_or(u64::MAX);
        let room = self.shared.bytes.saturating_sub(KEY_OVERHEAD);
        let response = response.filter(|response| size(response) <= room);
        let answered = Answered {
            request: self.running.request,
            bytes: response.as_ref().map_or(0, size).saturating_add(KEY_OVERHEAD),
            response,
            over: after(Instant::now(), keep_for),
        };
        let mut state = self.shared.state.lock();
        state.bytes = state.bytes.saturating_add(answered.bytes);
        let before = state.answered.insert(self.key, answered);
        state.bytes = state
            .bytes
            .saturating_sub(before.as_ref().map_or(0, |before| before.bytes));
        let gone = state.make_room(self.shared.bytes, self.shared.max_keys);
        drop(state);
        drop((before, gone));
        // Dropped now, after the answer is there.
        drop(self);
        Box::pin(ready(Ok(())))
    }
}

impl<D> Drop for Held<D> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        let is_own = state
            .running
            .get(&self.key)
            .is_some_and(|known| known.claim == self.running.claim);
        if is_own {
            state.running.remove(&self.key);
        }
    }
}

impl<D> Clone for InMemoryIdempotency<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> fmt::Debug for InMemoryIdempotency<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryIdempotency")
            .field("bytes", &self.0.bytes)
            .field("max_keys", &self.0.max_keys)
            .finish_non_exhaustive()
    }
}
