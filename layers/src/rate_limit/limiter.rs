use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use tokio::time::Instant;

use super::{LimitStore, Limits, bucket::Bucket};
use crate::util::Lock;

/// Locks that keys are spread over, so that calls of different keys seldom meet.
const SHARDS: usize = 16;

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
            key: Arc::clone(key),
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
