//! The byte-bounded store of responses, and its eviction.

use std::sync::Arc;

use foldhash::fast::RandomState;
use hashlink::LinkedHashMap;
use tokio::time::Instant;

use super::{AnswerKey, entry::Entry, forgotten::Forgotten};
use crate::util::Lock;

/// The least recently used response is evicted first. A response that was requested again is evicted only when such responses take more than
/// half of the capacity. So a flood of new responses does not evict those in use, and a response that is requested again within half of the
/// capacity is a hit.
///
/// An evicted response is returned or dropped when the lock is free again: dropping a frame runs foreign code.
pub(super) struct LruStore<D> {
    capacity: u128,
    state: Lock<State<D>>,
}

struct State<D> {
    /// Not requested since they were cached.
    new: Line<D>,
    /// Requested again.
    wanted: Line<D>,
}

type StoredEntry<D> = Arc<Entry<D>>;

impl<D> LruStore<D> {
    pub(super) fn new(capacity: u64) -> Self {
        Self {
            capacity: capacity.into(),
            state: Lock::new(State {
                new: Line::default(),
                wanted: Line::default(),
            }),
        }
    }

    /// Finds it for a request, which counts as a use.
    pub(super) fn get(&self, key: &AnswerKey) -> Option<StoredEntry<D>> {
        let mut state = self.state.lock();
        if let Some(kept) = state.wanted.touch(key) {
            return Some(Arc::clone(kept));
        }
        let kept = Arc::clone(state.new.touch(key)?);
        if kept.bytes as u128 <= self.capacity / 2 {
            state.new.remove(key);
            state.wanted.push(*key, Arc::clone(&kept));
        }
        while state.wanted.bytes > self.capacity / 2
            && let Some((key, kept)) = state.wanted.pop()
        {
            state.new.push(key, kept);
        }
        Some(kept)
    }

    /// Caches it, unless it is forgotten already, a response requested later is there, or it is larger than the capacity.
    pub(super) fn keep(&self, key: AnswerKey, kept: Entry<D>, forgotten: &Forgotten) {
        // Before the lock, so dropped after it.
        let mut gone = Vec::new();
        let mut state = self.state.lock();
        let newer = state.find(&key).is_some_and(|known| known.asked > kept.asked);
        // Under the lock: what is to be forgotten from now on is removed after it.
        if newer || forgotten.is_forgotten(&key, kept.era) || kept.bytes as u128 > self.capacity {
            return;
        }
        gone.extend(state.remove(&key));
        state.let_go_of_what_is_over(&mut gone);
        while state.bytes() + kept.bytes as u128 > self.capacity
            && let Some((_, kept)) = state.new.pop().or_else(|| state.wanted.pop())
        {
            gone.push(kept);
        }
        state.new.push(key, Arc::new(kept));
    }

    /// Takes out this very one, and none that has come into its place.
    pub(super) fn remove(&self, key: &AnswerKey, kept: &StoredEntry<D>) {
        let mut state = self.state.lock();
        let is_it = state.find(key).is_some_and(|known| Arc::ptr_eq(known, kept));
        let gone = is_it.then(|| state.remove(key));
        drop(state);
        drop(gone);
    }

    pub(super) fn forget(&self, key: &AnswerKey) {
        let mut state = self.state.lock();
        let gone = state.remove(key);
        drop(state);
        drop(gone);
    }

    pub(super) fn clear(&self) {
        let mut state = self.state.lock();
        let gone = [std::mem::take(&mut state.new), std::mem::take(&mut state.wanted)];
        drop(state);
        drop(gone);
    }

    /// How many bytes are kept.
    pub(super) fn bytes(&self) -> u128 {
        self.state.lock().bytes()
    }

    /// How many bytes there is room for.
    pub(super) const fn capacity(&self) -> u128 {
        self.capacity
    }
}

impl<D> State<D> {
    fn find(&self, key: &AnswerKey) -> Option<&StoredEntry<D>> {
        self.wanted.find(key).or_else(|| self.new.find(key))
    }

    fn remove(&mut self, key: &AnswerKey) -> Option<StoredEntry<D>> {
        self.wanted.remove(key).or_else(|| self.new.remove(key))
    }

    const fn bytes(&self) -> u128 {
        self.new.bytes + self.wanted.bytes
    }

    /// Starts at the least recently used, so that the time is proportional to the number of evicted responses.
    fn let_go_of_what_is_over(&mut self, gone: &mut Vec<StoredEntry<D>>) {
        let now = Instant::now();
        for line in [&mut self.new, &mut self.wanted] {
            while line.first().is_some_and(|kept| kept.is_over(now))
                && let Some((_, kept)) = line.pop()
            {
                gone.push(kept);
            }
        }
    }
}

/// Responses, the least recently used first.
struct Line<D> {
    answers: LinkedHashMap<AnswerKey, StoredEntry<D>, RandomState>,
    bytes: u128,
}

impl<D> Default for Line<D> {
    fn default() -> Self {
        Self {
            answers: LinkedHashMap::default(),
            bytes: 0,
        }
    }
}

impl<D> Line<D> {
    fn find(&self, key: &AnswerKey) -> Option<&StoredEntry<D>> {
        self.answers.get(key)
    }

    fn first(&self) -> Option<&StoredEntry<D>> {
        self.answers.front().map(|(_, kept)| kept)
    }

    fn touch(&mut self, key: &AnswerKey) -> Option<&StoredEntry<D>> {
        self.answers.to_back(key).map(|kept| &*kept)
    }

    fn push(&mut self, key: AnswerKey, kept: StoredEntry<D>) {
        self.bytes += kept.bytes as u128;
        self.answers.insert(key, kept);
    }

    fn remove(&mut self, key: &AnswerKey) -> Option<StoredEntry<D>> {
        let kept = self.answers.remove(key)?;
        self.bytes -= kept.bytes as u128;
        Some(kept)
    }

    fn pop(&mut self) -> Option<(AnswerKey, StoredEntry<D>)> {
        let (key, kept) = self.answers.pop_front()?;
        self.bytes -= kept.bytes as u128;
        Some((key, kept))
    }
}
