//! Room for so many bytes of answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use quick_cache::{OptionsBuilder, Weighter, sync, sync::DefaultLifecycle};
use tokio::time::Instant;

use super::{AnswerKey, entry::Entry};
use crate::prehashed::Prehashed;

/// Which answers stay is the choice of S3-FIFO. It knows of no time, so those past theirs are swept out.
pub(super) struct Room<D> {
    kept: Store<D>,
    next_sweep: Mutex<Option<Instant>>,
}

type Store<D> = sync::Cache<AnswerKey, Arc<Entry<D>>, Bytes, Prehashed>;

/// A part with a lock of its own holds this much at least, so that the largest answers find room in it.
const PART: u64 = 64 << 20;

/// More of them, as a power of two, would only split the room.
const MOST_PARTS: u32 = 6;

/// An answer's size by and large, from which it is told how many of those that went are remembered.
const USUAL_ANSWER: u64 = 8 << 10;

/// How often all is looked through, within the time that an answer is kept: so much of the room may be held by what is past its time.
const SWEEPS: u32 = 8;

/// However short that time is.
const SHORTEST: Duration = Duration::from_secs(1);

impl<D> Room<D> {
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            kept: store(bytes),
            next_sweep: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &AnswerKey) -> Option<Arc<Entry<D>>> {
        self.kept.get(key)
    }

    /// Puts it there, unless one is there that was asked for later.
    pub(super) fn insert(&self, key: AnswerKey, entry: Arc<Entry<D>>) {
        if self.kept.peek(&key).is_some_and(|kept| kept.asked > entry.asked) {
            return;
        }
        let now = Instant::now();
        if self.is_sweep_due(now, entry.keep_for) {
            self.kept.retain(|_, kept| !kept.is_over(now));
        }
        self.kept.insert(key, entry);
    }

    /// Takes this very one out, and none that has come into its place.
    pub(super) fn remove(&self, key: &AnswerKey, entry: &Arc<Entry<D>>) {
        self.kept.remove_if(key, |kept| Arc::ptr_eq(kept, entry));
    }

    pub(super) fn forget(&self, key: &AnswerKey) {
        self.kept.remove(key);
    }

    pub(super) fn clear(&self) {
        self.kept.clear();
    }

    /// How many bytes are kept.
    pub(super) fn bytes(&self) -> u64 {
        self.kept.weight()
    }

    /// How many bytes there is room for.
    pub(super) fn capacity(&self) -> u64 {
        self.kept.capacity()
    }

    fn is_sweep_due(&self, now: Instant, keep_for: Duration) -> bool {
        let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.is_some_and(|next| next <= now);
        if due || next.is_none() {
            *next = now.checked_add((keep_for / SWEEPS).max(SHORTEST));
        }
        due
    }
}

/// In as many parts as are large enough.
fn store<D>(bytes: u64) -> Store<D> {
    let parts = 1_usize << (bytes / PART).checked_ilog2().unwrap_or(0).min(MOST_PARTS);
    // None gets more than its share, lest they be more together.
    let bytes = bytes - bytes % parts as u64;
    let usual = usize::try_from(bytes / USUAL_ANSWER).unwrap_or(usize::MAX);
    let options = OptionsBuilder::new()
        .shards(parts)
        .estimated_items_capacity(usual)
        .weight_capacity(bytes)
        .build();
    match options {
        Ok(options) => Store::with_options(options, Bytes, Prehashed::default(), DefaultLifecycle::default()),
        // Only where one of the two were missing.
        Err(_) => Store::with(usual, bytes, Bytes, Prehashed::default(), DefaultLifecycle::default()),
    }
}

/// What an answer takes of the room there is.
#[derive(Debug, Clone, Copy)]
struct Bytes;

impl<K, D> Weighter<K, Arc<Entry<D>>> for Bytes {
    fn weight(&self, _: &K, entry: &Arc<Entry<D>>) -> u64 {
        // Bounded, so that no sum overflows.
        (entry.bytes as u64).min(1 << 40)
    }
}
