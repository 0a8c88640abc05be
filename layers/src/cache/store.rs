use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::Response;
use tokio::time::Instant;

use super::{AnswerKey, CacheStatus, ReplayBody, entry::Entry, room::Room};
use crate::Frame;

/// Responses cached in memory, bounded by bytes. Clones share the cache.
///
/// When the cache is full, the least recently used response is evicted. Half of the capacity is for responses that were requested again,
/// so that new ones that are never requested again evict each other first. A stale response is removed when it is requested, or when it is
/// the least recently used one and another is stored.
pub struct Cache<D> {
    room: Arc<Room<D>>,
    time_to_live: Duration,
    stale_if_error: Duration,
    largest: usize,
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
        Self {
            room: Arc::new(Room::new(bytes)),
            time_to_live: Duration::from_secs(300),
            stale_if_error: Duration::ZERO,
            largest: 1024 * 1024,
        }
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
    pub const fn kept_stale(&self) -> Duration {
        self.stale_if_error
    }

    /// The cached response, fresh or stale, for use when every candidate has failed. Its [`CacheStatus`] says whether it is stale.
    #[must_use]
    pub fn stale(&self, key: &AnswerKey) -> Option<KeptAnswer<D>> {
        self.look(key).ok()
    }

    /// The cached response if it is fresh; otherwise what may be the last handle of a stale one, to be dropped with no lock held.
    pub(super) fn fresh(&self, key: &AnswerKey) -> Result<KeptAnswer<D>, Option<Arc<Entry<D>>>> {
        let answer = self.look(key)?;
        if answer.status.stale {
            return Err(Some(answer.entry));
        }
        Ok(answer)
    }

    fn look(&self, key: &AnswerKey) -> Result<KeptAnswer<D>, Option<Arc<Entry<D>>>> {
        let entry = self.room.get(key).ok_or(None)?;
        let now = Instant::now();
        if entry.is_over(now) {
            self.room.remove(key, &entry);
            return Err(Some(entry));
        }
        let age = now.duration_since(entry.came);
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
        Ok(KeptAnswer { entry, status })
    }

    const fn keep_for(&self) -> Duration {
        self.time_to_live.saturating_add(self.stale_if_error)
    }

    /// The era of what is requested now.
    pub(super) fn era(&self) -> u64 {
        self.room.era()
    }

    /// Whether a response requested in that era must be neither cached nor joined.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: u64) -> bool {
        self.room.is_forgotten(key, asked)
    }

    /// Caches it, unless a response that was requested later is cached.
    pub(super) fn keep(&self, key: AnswerKey, mut entry: Entry<D>) {
        entry.keep_for = self.keep_for();
        if !entry.keep_for.is_zero() {
            self.room.keep(key, entry);
        }
    }

    pub(super) const fn largest_kept(&self) -> usize {
        self.largest
    }

    /// How many bytes are cached.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.room.bytes().try_into().unwrap_or(u64::MAX)
    }

    /// Removes one response. A call in flight for it serves its present readers, accepts no others, and is not cached.
    pub fn forget(&self, key: &AnswerKey) {
        self.room.forget(key);
    }

    /// Removes all responses, and treats all calls in flight as [`forget`](Self::forget) does.
    pub fn clear(&self) {
        self.room.clear();
    }
}

impl<D> Clone for Cache<D> {
    fn clone(&self) -> Self {
        Self {
            room: Arc::clone(&self.room),
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
        let most = self.room.capacity();
        write!(f, "{most} bytes of answers, each for {:?}", self.time_to_live)?;
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

/// A cached response. See [`Cache::stale`].
pub struct KeptAnswer<D> {
    entry: Arc<Entry<D>>,
    status: CacheStatus,
}

impl<D> KeptAnswer<D> {
    /// How old it is, and whether it is stale.
    #[must_use]
    pub const fn status(&self) -> &CacheStatus {
        &self.status
    }

    /// Its frames, trailers apart: for a [`Degradation`](crate::degrade::Degradation).
    #[must_use]
    pub fn frames(&self) -> Vec<D>
    where
        D: Clone,
    {
        self.entry.frames.to_vec()
    }

    /// As a response whose body replays the frames, without a copy; marked with its [`CacheStatus`].
    #[must_use]
    pub fn into_response<E>(self) -> Response<ReplayBody<D, E>> {
        self.into_response_of(|body| body)
    }

    pub(super) fn into_response_of<E, B>(self, body: impl FnOnce(ReplayBody<D, E>) -> B) -> Response<B> {
        let mut response = self.entry.head.response(());
        response.extensions_mut().insert(self.status);
        response.map(|()| {
            body(ReplayBody {
                entry: self.entry,
                next: 0,
                error: PhantomData,
            })
        })
    }
}

impl<D> fmt::Debug for KeptAnswer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
