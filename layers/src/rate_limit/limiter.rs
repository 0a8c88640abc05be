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
    /// The limiter that this one takes over from, key by key.
    before: Lock<Option<Arc<Self>>>,
    /// How many others came before it.
    generation: u64,
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
            before: Lock::default(),
            generation: 0,
        }
    }

    /// The same, which takes over what was counted there.
    pub(super) fn after(mut self, before: Option<Arc<Self>>) -> Self {
        if let Some(before) = &before {
            before.end_taking_over();
            self.generation = before.generation.saturating_add(1);
        }
        *self.before.lock() = before;
        self
    }

    /// Adopts the buckets that it has not taken over yet from the limiter before it, as they are, and forgets that limiter: the next one finds all keys
    /// here, also those without a call since, and two limiters are held at most, however often the limits change. A call that comes here nevertheless,
    /// since the next limiter is refused, has the limits of this one: see [`bucket`](Self::bucket).
    fn end_taking_over(&self) {
        let Some(before) = self.before.lock().clone() else {
            return;
        };
        for shard in &before.shards {
            let counted: Vec<_> = {
                let shard = shard.lock();
                let counted = shard
                    .iter()
                    .filter(|(_, (bucket, _))| bucket.is_older_than(self.generation));
                counted
                    .map(|(key, (bucket, used))| (Arc::clone(key), Arc::clone(bucket), *used))
                    .collect()
            };
            for (key, bucket, used) in counted {
                let Some(mut shard) = self.shard(&key).map(Lock::lock) else {
                    continue;
                };
                // A call may have come meanwhile.
                if bucket.is_older_than(self.generation) && shard.len() < self.most_a_shard {
                    shard.entry(key).or_insert((bucket, used));
                }
            }
        }
        *self.before.lock() = None;
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
        let mut shard = self.shard(&key)?.lock();
        let now = Instant::now();
        if let Some((bucket, used)) = shard.get_mut(&key) {
            *used = now;
            if bucket.is_older_than(self.generation) {
                *bucket = Bucket::taking_over(&self.limits, self.generation, bucket.latest());
            }
            return Some(Arc::clone(bucket));
        }
        if shard.len() >= self.most_a_shard {
            self.make_room(&mut shard, now);
        }
        let bucket = self
            .take_over(&key)
            .unwrap_or_else(|| Arc::new(Bucket::new(&self.limits).of_generation(self.generation)));
        shard.insert(key, (Arc::clone(&bucket), now));
        Some(bucket)
    }

    fn shard(&self, key: &str) -> Option<&Lock<Shard>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default();
        self.shards.get(hash.checked_rem(self.shards.len())?)
    }

    /// Takes over the bucket of this key from the limiter before, once: a key that was forgotten here since begins again.
    fn take_over(&self, key: &str) -> Option<Arc<Bucket>> {
        let before = self.before.lock().clone()?;
        // Locked until it is done: a call by the limiter before may take over the same bucket.
        let shard = before.shard(key)?.lock();
        let (bucket, _) = shard.get(key)?;
        let is_older = bucket.is_older_than(self.generation);
        is_older.then(|| Bucket::taking_over(&self.limits, self.generation, bucket.latest()))
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
    use std::time::Duration;

    use super::*;
    use crate::rate_limit::Rate;

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

    /// How many requests pass at once.
    fn passed(limiter: &Limiter) -> usize {
        let bucket = limiter.bucket("a".into()).unwrap();
        (0..100).take_while(|_| bucket.admit(0, None).is_ok()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_limiter_takes_over_what_the_one_before_has_counted_of_a_key_once() {
        let limits = |burst| {
            let rate = Rate::new(1, Duration::from_secs(60)).unwrap();
            Limits::new().requests(rate.burst(burst).unwrap())
        };
        let first = Arc::new(Limiter::new(limits(2), 10));
        assert_eq!(passed(&first), 2);
        let second = Arc::new(Limiter::new(limits(5), 10).after(Some(Arc::clone(&first))));
        assert_eq!(passed(&second), 3);
        let third = Limiter::new(limits(9), 10).after(Some(Arc::clone(&second)));
        assert_eq!((passed(&third), passed(&third)), (4, 0));
        assert_eq!(passed(&first), 0, "calls that came by it count in the newest");
        assert!(second.before.lock().is_none(), "what is in force no more is forgotten");
        third.shard("a").unwrap().lock().clear();
        assert_eq!(passed(&third), 9);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_without_a_call_between_two_changes_keep_what_was_counted() {
        let limits = |burst| {
            let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
            Limits::new().requests(rate.burst(burst).unwrap())
        };
        let passed = |limiter: &Limiter, key: &str| {
            let bucket = limiter.bucket(key.into()).unwrap();
            (0..100).take_while(|_| bucket.admit(0, None).is_ok()).count()
        };
        let keys = ["a", "b", "c", "d"];
        let mut limiter = Arc::new(Limiter::new(limits(8), 100));
        for key in keys {
            assert_eq!(passed(&limiter, key), 8);
        }
        // One with less room than was used between those with more.
        for burst in [1, 8, 1, 10] {
            limiter = Arc::new(Limiter::new(limits(burst), 100).after(Some(limiter)));
            let before = limiter.before.lock().clone().unwrap();
            assert!(before.before.lock().is_none(), "no more than two are held");
        }
        for key in keys {
            assert_eq!(passed(&limiter, key), 2, "{key}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_without_a_call_have_the_limits_in_force_if_the_next_ones_are_refused() {
        let limits = |burst| {
            let rate = Rate::new(1, Duration::from_secs(3_600)).unwrap();
            Limits::new().requests(rate.burst(burst).unwrap())
        };
        let first = Arc::new(Limiter::new(limits(9), 10));
        let bucket = first.bucket("a".into()).unwrap();
        assert!(bucket.admit(0, None).is_ok());
        let in_force = Arc::new(Limiter::new(limits(3), 10).after(Some(Arc::clone(&first))));
        let refused = Limiter::new(limits(5), 10).after(Some(Arc::clone(&in_force)));
        drop(refused);
        assert_eq!(passed(&in_force), 2);
        assert_eq!((passed(&first), passed(&in_force)), (0, 0), "they count together");
        let next = Limiter::new(limits(4), 10).after(Some(Arc::clone(&in_force)));
        assert_eq!((passed(&next), passed(&in_force), passed(&next)), (1, 0, 0));
    }
}
