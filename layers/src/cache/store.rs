//! A cache: where responses are kept, and for how long.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    AnswerKey, CacheStatus, CacheStore, CachedAnswer,
    entry::Entry,
    external_store::{ExternalStore, Looking},
    forgotten::Forgotten,
    lru_store::LruStore,
};
use crate::Frame;

/// Responses cached in memory, bounded by bytes, or in a [store](Self::with_store) of your own. Clones share the cache.
///
/// When the cache is full, the least recently used response is evicted. Half of the capacity is for responses that were requested again,
/// so that new ones that are never requested again evict each other first. A stale response is removed when it is requested, or when it is
/// the least recently used one and another is stored.
pub struct Cache<D> {
    backend: Backend<D>,
    forgotten: Arc<Forgotten>,
    time_to_live: Duration,
    stale_if_error: Duration,
    largest: usize,
    store_timeout: Duration,
}

/// Where the responses are.
enum Backend<D> {
    Own(Arc<LruStore<D>>),
    External(Arc<ExternalStore<D>>),
}

/// How long a look at a store takes at most, by default: an answer of a model takes longer.
const STORE_TIMEOUT: Duration = Duration::from_millis(250);

/// What a look for a fresh response gives.
pub(super) enum Found<D> {
    Now(Option<CachedAnswer<D>>),
    Later(Box<Looking<D>>),
}

impl<D> Cache<D>
where
    D: Frame + Clone + Send + Sync + 'static,
{
    /// Caches this many bytes at most, for five minutes, and no response larger than 1 MiB. With 0 bytes nothing is cached, and
    /// only single flight remains.
    ///
    /// Bytes are the frames' own count ([`Frame::size_in_bytes`]), and what is known of the rest.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self::at(|_| Backend::Own(Arc::new(LruStore::new(bytes))))
    }

    /// Caches responses in a store of your own, which bounds itself: see [`CacheStore`].
    #[must_use]
    pub fn with_store(store: impl CacheStore<D>) -> Self {
        Self::at(|forgotten| Backend::External(Arc::new(ExternalStore::new(Box::new(store), forgotten))))
    }

    fn at(backend: impl FnOnce(Arc<Forgotten>) -> Backend<D>) -> Self {
        let forgotten = Arc::<Forgotten>::default();
        Self {
            backend: backend(Arc::clone(&forgotten)),
            forgotten,
            time_to_live: Duration::from_secs(300),
            stale_if_error: Duration::ZERO,
            largest: 1024 * 1024,
            store_timeout: STORE_TIMEOUT,
        }
    }

    /// How long a call waits for a [store of your own](Self::with_store) that does not answer at once; 250 ms by default. After that it is a
    /// miss. A call that has a deadline waits for a quarter of the time that is left at most. It does not concern the cache's own memory.
    #[must_use]
    pub const fn store_timeout(mut self, time: Duration) -> Self {
        self.store_timeout = time;
        self
    }

    /// How long a response is fresh; five minutes by default, as the routers do it.
    #[must_use]
    pub const fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = time;
        self
    }

    /// How long a stale response stays available to [`stale`](Self::stale) after that (RFC 5861); zero by default.
    #[must_use]
    pub const fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }

    /// The largest response that is cached, in bytes; 1 MiB by default. No stream is copied beyond it. It is also how far behind a
    /// reader of a coalesced response may be, once the response has outgrown it.
    #[must_use]
    pub const fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How long a stale response stays available: see [`stale_if_error`](Self::stale_if_error).
    #[must_use]
    pub const fn stale_if_error_time(&self) -> Duration {
        self.stale_if_error
    }

    /// The cached response, fresh or stale, for use when every candidate has failed. Its [`CacheStatus`] says whether it is stale. `None` as
    /// well if a store of your own answers later: then [`stale_later`](Self::stale_later) has it.
    #[must_use]
    pub fn stale(&self, key: &AnswerKey) -> Option<CachedAnswer<D>> {
        match &self.backend {
            Backend::Own(room) => self.look(room, key).ok(),
            Backend::External(given) => {
                let found = given.look(key, self.store_timeout, Duration::MAX).ok()??;
                self.answer(key, found).ok()
            }
        }
    }

    /// The same from a store of your own, whether it answers at once or within [`store_timeout`](Self::store_timeout); `None` if the responses are
    /// in the cache's own memory. The store is not looked at before the future is polled, and then once.
    #[must_use]
    pub fn stale_later(
        &self,
        key: &AnswerKey,
    ) -> Option<impl Future<Output = Option<CachedAnswer<D>>> + Send + 'static + use<D>> {
        let Backend::External(given) = &self.backend else {
            return None;
        };
        let (given, cache, key) = (Arc::clone(given), self.clone(), *key);
        Some(async move {
            let found = match given.look(&key, cache.store_timeout, Duration::MAX) {
                Ok(found) => found,
                Err(looking) => looking.await,
            };
            cache.answer(&key, found?).ok()
        })
    }

    /// Looks for a fresh response; a store of one's own has `cap` to answer, at most.
    pub(super) fn find(&self, key: &AnswerKey, cap: Duration) -> Found<D> {
        match &self.backend {
            Backend::Own(_) => Found::Now(self.fresh(key).ok()),
            Backend::External(given) => match given.look(key, self.store_timeout, cap) {
                Ok(found) => Found::Now(found.and_then(|entry| self.fresh_of(key, entry))),
                Err(looking) => Found::Later(looking),
            },
        }
    }

    /// The response that a store had, if it is fresh.
    pub(super) fn fresh_of(&self, key: &AnswerKey, entry: Arc<Entry<D>>) -> Option<CachedAnswer<D>> {
        self.answer(key, entry).ok().filter(|answer| !answer.status.stale)
    }

    /// The cached response if it is fresh and in the cache's own memory; otherwise what may be the last handle of a stale one, to be dropped
    /// with no lock held. A store of one's own is not called, since it is foreign code.
    pub(super) fn fresh(&self, key: &AnswerKey) -> Result<CachedAnswer<D>, Option<Arc<Entry<D>>>> {
        let Backend::Own(room) = &self.backend else {
            return Err(None);
        };
        let answer = self.look(room, key)?;
        if answer.status.stale {
            return Err(Some(answer.entry));
        }
        Ok(answer)
    }

    fn look(&self, room: &LruStore<D>, key: &AnswerKey) -> Result<CachedAnswer<D>, Option<Arc<Entry<D>>>> {
        let entry = room.get(key).ok_or(None)?;
        let answer = self.answer(key, entry);
        if let Err(Some(over)) = &answer
            && over.is_over(Instant::now())
        {
            room.remove(key, over);
        }
        answer
    }

    /// It as an answer, if it is not too old.
    fn answer(&self, key: &AnswerKey, entry: Arc<Entry<D>>) -> Result<CachedAnswer<D>, Option<Arc<Entry<D>>>> {
        let now = Instant::now();
        let age = now.saturating_duration_since(entry.came);
        if entry.is_over(now) {
            return Err(Some(entry));
        }
        // For a clone that keeps longer it may still serve.
        if age >= self.keep_for() {
            return Err(Some(entry));
        }
        let status = CacheStatus {
            hit: true,
            stale: age >= self.time_to_live,
            age,
            key: *key,
        };
        Ok(CachedAnswer { entry, status })
    }

    const fn keep_for(&self) -> Duration {
        self.time_to_live.saturating_add(self.stale_if_error)
    }

    /// The era of what is requested now.
    pub(super) fn era(&self) -> u64 {
        self.forgotten.era()
    }

    /// Whether a response requested in that era must be neither cached nor joined.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: u64) -> bool {
        self.forgotten.is_forgotten(key, asked)
    }

    /// Caches it, unless a response that was requested later is cached.
    pub(super) fn keep(&self, key: AnswerKey, mut entry: Entry<D>) {
        entry.keep_for = self.keep_for();
        if entry.keep_for.is_zero() {
            return;
        }
        match &self.backend {
            Backend::Own(room) => room.keep(key, entry, &self.forgotten),
            Backend::External(given) => given.keep(&key, entry),
        }
    }

    pub(super) const fn largest_kept(&self) -> usize {
        self.largest
    }

    /// How many bytes are cached.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.backend {
            Backend::Own(room) => room.bytes().try_into().unwrap_or(u64::MAX),
            Backend::External(given) => given.bytes(),
        }
    }

    /// Removes one response. A call in flight for it serves its present readers, accepts no others, and is not cached.
    pub fn forget(&self, key: &AnswerKey) {
        self.forgotten.one(*key);
        match &self.backend {
            Backend::Own(room) => room.forget(key),
            Backend::External(given) => given.forget(key),
        }
    }

    /// Removes all responses, and treats all calls in flight as [`forget`](Self::forget) does.
    pub fn clear(&self) {
        self.forgotten.all();
        match &self.backend {
            Backend::Own(room) => room.clear(),
            Backend::External(given) => given.clear(),
        }
    }
}

impl<D> Clone for Cache<D> {
    fn clone(&self) -> Self {
        let backend = match &self.backend {
            Backend::Own(room) => Backend::Own(Arc::clone(room)),
            Backend::External(given) => Backend::External(Arc::clone(given)),
        };
        Self {
            backend,
            forgotten: Arc::clone(&self.forgotten),
            ..*self
        }
    }
}

impl<D> fmt::Debug for Cache<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("time_to_live", &self.time_to_live)
            .field("stale_if_error", &self.stale_if_error)
            .field("largest", &self.largest)
            .finish_non_exhaustive()
    }
}

impl<D> fmt::Display for Cache<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Backend::Own(room) => write!(f, "{} bytes of answers", room.capacity())?,
            Backend::External(_) => f.write_str("answers in a store of its own")?,
        }
        write!(f, ", each for {:?}", self.time_to_live)?;
        if !self.stale_if_error.is_zero() {
            write!(
                f,
                ", and stale for {:?} more if every candidate fails",
                self.stale_if_error
            )?;
        }
        Ok(())
    }
}
