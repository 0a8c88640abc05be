use std::{fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::Response;
use tokio::time::Instant;

use super::{AnswerKey, CacheStatus, ReplayBody, entry::Entry, room::Room};
use crate::Frame;

/// Answers kept in memory: never more than so many bytes. Clones share what is kept.
///
/// Where there is no more room, the answer goes that nobody has asked for the longest. Half of the room is for those that were asked for
/// again: new ones that nobody wants push each other out, and not what is wanted. An answer past its time goes when somebody asks for
/// it, or when another one is kept and nobody has asked for it the longest.
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
    /// Keeps this many bytes at most, answers for five minutes, and none that is larger than 1 MiB. With 0 bytes nothing is kept, and
    /// single flight is all that is left.
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

    /// How long an answer serves; five minutes by default, as the routers do it.
    #[must_use]
    pub const fn time_to_live(mut self, time: Duration) -> Self {
        self.time_to_live = time;
        self
    }

    /// How long an answer is kept beyond that, for [`stale`](Self::stale); not at all by default.
    #[must_use]
    pub const fn stale_if_error(mut self, time: Duration) -> Self {
        self.stale_if_error = time;
        self
    }

    /// The largest answer that is kept, in bytes; 1 MiB by default. No stream is copied beyond it. It is also how far behind a
    /// reader of a shared answer may be, once the answer has outgrown it.
    #[must_use]
    pub const fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How long an answer is kept beyond its time: see [`stale_if_error`](Self::stale_if_error).
    #[must_use]
    pub const fn kept_stale(&self) -> Duration {
        self.stale_if_error
    }

    /// The kept answer, however old: for when no better one can be had. Its [`CacheStatus`] says whether it is stale.
    #[must_use]
    pub fn stale(&self, key: &AnswerKey) -> Option<KeptAnswer<D>> {
        self.look(key).ok()
    }

    /// The kept answer, while it serves; otherwise what may be the last of one, to be dropped with no lock held.
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

    /// Whether what was asked for then is not to be kept, nor joined.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: Instant) -> bool {
        self.room.is_forgotten(key, asked)
    }

    /// Keeps it, unless one is kept that was asked for later.
    pub(super) fn keep(&self, key: AnswerKey, mut entry: Entry<D>) {
        entry.keep_for = self.keep_for();
        if !entry.keep_for.is_zero() {
            self.room.keep(key, entry);
        }
    }

    pub(super) const fn largest_kept(&self) -> usize {
        self.largest
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.room.bytes().try_into().unwrap_or(u64::MAX)
    }

    /// Forgets one answer, and what is on its way: whoever asked for it gets it, nobody joins, and it is not kept.
    pub fn forget(&self, key: &AnswerKey) {
        self.room.forget(key);
    }

    /// Forgets all answers, and what is on its way, as [`forget`](Self::forget) does.
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
            write!(f, ", and {:?} more for when nobody answers", self.stale_if_error)?;
        }
        Ok(())
    }
}

/// An answer that was kept. See [`Cache::stale`].
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
