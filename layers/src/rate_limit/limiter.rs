//! Limits by key, in this process: bounded in keys and bytes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState},
    sync::Arc,
};

use tokio::time::Instant;

use super::{LimitStore, Limits, bucket::Bucket};
use crate::util::Lock;

/// Locks that keys are spread over, so that calls of different keys seldom meet.
const SHARDS: usize = 16;

/// The longest key that is kept, in bytes.
const LONGEST_KEY: usize = 256;

/// A key of at most [`LONGEST_KEY`] bytes: of a longer one its beginning and a hash of all of it, the same in every process that shares a store.
fn bounded(key: Arc<str>) -> Arc<str> {
    if key.len() <= LONGEST_KEY {
        return key;
    }
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let hash = format!("~{:016x}", hasher.finish());
    let mut end = LONGEST_KEY.saturating_sub(hash.len());
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{hash}", key.get(..end).unwrap_or_default()).into()
}

/// The buckets of all keys: never more than so many.
#[derive(Debug)]
pub(super) struct Limiter {
    /// What each bucket counts: nothing if a store counts.
    limits: Limits,
    store: Option<(Arc<dyn LimitStore>, Limits)>,
    shards: Vec<Lock<Shard>>,
    most_a_shard: usize,
    hasher: RandomState,
}

/// The shared store that counts in addition to the bucket of this process.
pub(super) struct Shared {
    pub(super) store: Arc<dyn LimitStore>,
    pub(super) key: Arc<str>,
    pub(super) limits: Limits,
}

type Shard = HashMap<Arc<str>, (Arc<Bucket>, Instant)>;

impl Limiter {
    pub(super) fn new(limits: Limits, max_keys: usize) -> Self {
        let shards = SHARDS.min(max_keys);
        Self {
            limits,
            store: None,
            shards: (0..shards).map(|_| Lock::default()).collect(),
            most_a_shard: max_keys / shards.max(1),
            hasher: RandomState::new(),
        }
    }

    /// The same, counted in a store, and not in the buckets here.
    pub(super) fn shared_in(store: Arc<dyn LimitStore>, limits: Limits, max_keys: usize) -> Self {
        let mut limiter = Self::new(Limits::new(), max_keys);
        limiter.store = Some((store, limits));
        limiter
    }

    /// The store that must be called for this key in addition to its bucket.
    pub(super) fn shared(&self, key: &Arc<str>) -> Option<Shared> {
        let (store, limits) = self.store.as_ref()?;
        Some(Shared {
            store: Arc::clone(store),
            key: bounded(Arc::clone(key)),
            limits: *limits,
        })
    }

    /// The limits of each key, wherever they are counted.
    pub(super) fn limits(&self) -> Limits {
        self.store.as_ref().map_or(self.limits, |(_, limits)| *limits)
    }

    /// How many keys are held.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// The bucket of this key.
    pub(super) fn bucket(&self, key: Arc<str>) -> Option<Arc<Bucket>> {
        let key = bounded(key);
        let hash = usize::try_from(self.hasher.hash_one(&*key) >> 32).unwrap_or_default();
        let shard = self.shards.get(hash.checked_rem(self.shards.len())?)?;
        let mut shard = shard.lock();
        let now = Instant::now();
        if let Some((bucket, used)) = shard.get_mut(&key) {
            *used = now;
            return Some(Arc::clone(bucket));
        }
        if shard.len() >= self.most_a_shard {
            self.make_room(&mut shard, now);
        }
        let bucket = Arc::new(Bucket::new(&self.limits));
        shard.insert(key, (Arc::clone(&bucket), now));
        Some(bucket)
    }

    /// Forgets those that are as good as new; if there are none, the least recently used tenth.
    fn make_room(&self, shard: &mut Shard, now: Instant) {
        let memory = self.limits.memory();
        let before = shard.len();
        shard.retain(|_, (bucket, used)| Arc::strong_count(bucket) > 1 || now.duration_since(*used) <= memory);
        if shard.len() < before {
            return;
        }
        let mut ages: Vec<_> = shard.values().map(|(_, used)| *used).collect();
        let tenth = (ages.len() / 10).min(ages.len().saturating_sub(1));
        let (_, oldest, _) = ages.select_nth_unstable(tenth);
        let oldest = *oldest;
        let mut spare = tenth + 1;
        // Many may be of the same age: no more go than must.
        shard.retain(|_, (_, used)| {
            let goes = *used <= oldest && spare > 0;
            spare -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_kept_short_and_stays_distinct() {
        let long = "é".repeat(128 * 1024);
        let key = |end: &str| bounded(format!("{long}{end}").into());
        assert!(key("a").len() <= LONGEST_KEY && key("a").starts_with('é'));
        assert_eq!(key("a"), key("a"));
        assert_ne!(key("a"), key("b"));
        assert_eq!(&*bounded("tenant".into()), "tenant");
        let limiter = Limiter::new(Limits::new(), 100);
        for end in ["a", "b", "a"] {
            limiter.bucket(format!("{long}{end}").into()).unwrap();
        }
        let longest = |shard: &Lock<Shard>| shard.lock().keys().map(|key| key.len()).max();
        assert_eq!(limiter.len(), 2);
        assert_eq!(limiter.shards.iter().filter_map(longest).max(), Some(LONGEST_KEY - 1));
    }
}
