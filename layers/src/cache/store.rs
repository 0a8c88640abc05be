use std::{borrow::Borrow, fmt, marker::PhantomData, sync::Arc, time::Duration};

use http::Response;
use moka::{Expiry, sync};
use tokio::time::Instant;

use super::{
    AnswerKey, CacheStatus, ReplayBody,
    entry::{Entry, Piece},
    forgotten::Forgotten,
};
use crate::{Frame, prehashed::Prehashed};

/// Answers kept in memory: never more than so many bytes. Clones share what is kept.
///
/// Which answers stay is the choice of `TinyLFU`: those that are asked for often. So a new answer may be let go at once where all that
/// is kept is wanted more.
pub struct Cache<D> {
    kept: sync::Cache<Kept, Arc<Entry<D>>, Prehashed>,
    forgotten: Arc<Forgotten>,
    time_to_live: Duration,
    keep_stale: Duration,
    largest: usize,
}

impl<D> Cache<D>
where
    D: Frame + Clone + Send + Sync + 'static,
{
    /// Keeps this many bytes at most, answers for five minutes, and none that is larger than 1 MiB. With 0 bytes nothing is kept, and
    /// single flight is all that is left.
    ///
    /// Bytes are the frames' own count ([`Frame::size_in_bytes`]), and what is known of the rest. The bound is kept after each
    /// answer; while answers are being added, those few come on top.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let kept = sync::Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, entry: &Arc<Entry<D>>| u32::try_from(entry.bytes).unwrap_or(u32::MAX))
            .expire_after(Forget)
            .build_with_hasher(Prehashed::default());
        Self {
            kept,
            forgotten: Arc::default(),
            time_to_live: Duration::from_secs(300),
            keep_stale: Duration::ZERO,
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
    pub const fn keep_stale(mut self, time: Duration) -> Self {
        self.keep_stale = time;
        self
    }

    /// The largest answer that is kept, in bytes; 1 MiB by default. No stream is copied beyond it. It is also how far behind a
    /// reader of a shared answer may be, once the answer has outgrown it.
    #[must_use]
    pub const fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// How long an answer is kept beyond its time: see [`keep_stale`](Self::keep_stale).
    #[must_use]
    pub const fn kept_stale(&self) -> Duration {
        self.keep_stale
    }

    /// The kept answer, however old: for when no better one can be had. Its [`CacheStatus`] says whether it is stale.
    #[must_use]
    pub fn stale(&self, key: &AnswerKey) -> Option<KeptAnswer<D>> {
        let entry = self.kept.get(key)?;
        let age = entry.came.elapsed();
        if age >= self.time_to_live.saturating_add(self.keep_stale) {
            self.let_go(key);
            return None;
        }
        let status = CacheStatus {
            hit: true,
            stale: age >= self.time_to_live,
            age,
            key: *key,
        };
        Some(KeptAnswer { entry, status })
    }

    /// The kept answer, while it serves.
    pub(super) fn fresh(&self, key: &AnswerKey) -> Option<KeptAnswer<D>> {
        self.stale(key).filter(|answer| !answer.status.stale)
    }

    /// Whether what was asked for then is not to be kept, nor joined.
    pub(super) fn is_forgotten(&self, key: &AnswerKey, asked: Instant) -> bool {
        self.forgotten.is_forgotten(key, asked)
    }

    /// Keeps it, unless one is kept that was asked for later.
    pub(super) fn keep(&self, key: AnswerKey, mut entry: Entry<D>) {
        let newer = |kept: Arc<Entry<D>>| kept.asked > entry.asked;
        if self.is_forgotten(&key, entry.asked) || self.kept.get(&key).is_some_and(newer) {
            return;
        }
        entry.keep_for = self.time_to_live.saturating_add(self.keep_stale);
        let asked = entry.asked;
        self.kept.insert(Kept(key), Arc::new(entry));
        // Told between the look and the insertion.
        if self.is_forgotten(&key, asked) {
            self.kept.invalidate(&key);
        }
        // Otherwise the bound would be kept a few hundred answers later.
        self.kept.run_pending_tasks();
    }

    pub(super) const fn largest_kept(&self) -> usize {
        self.largest
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.kept.weighted_size()
    }

    /// Forgets one answer, and what is on its way: whoever asked for it gets it, nobody joins, and it is not kept.
    pub fn forget(&self, key: &AnswerKey) {
        self.forgotten.one(*key);
        self.let_go(key);
    }

    fn let_go(&self, key: &AnswerKey) {
        self.kept.invalidate(key);
        self.kept.run_pending_tasks();
    }

    /// Forgets all answers, and what is on its way, as [`forget`](Self::forget) does.
    pub fn clear(&self) {
        self.forgotten.all();
        self.kept.invalidate_all();
        self.kept.run_pending_tasks();
    }
}

impl<D> Clone for Cache<D> {
    fn clone(&self) -> Self {
        Self {
            kept: self.kept.clone(),
            forgotten: Arc::clone(&self.forgotten),
            ..*self
        }
    }
}

impl<D> fmt::Debug for Cache<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("time_to_live", &self.time_to_live)
            .field("keep_stale", &self.keep_stale)
            .field("largest", &self.largest)
            .finish_non_exhaustive()
    }
}

impl<D> fmt::Display for Cache<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.kept.policy().max_capacity().unwrap_or(u64::MAX);
        write!(f, "{most} bytes of answers, each for {:?}", self.time_to_live)?;
        if !self.keep_stale.is_zero() {
            write!(f, ", and {:?} more for when nobody answers", self.keep_stale)?;
        }
        Ok(())
    }
}

/// By what moka finds an answer: a type of our own, so that moka's traits are none of our public types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kept(AnswerKey);

impl Borrow<AnswerKey> for Kept {
    fn borrow(&self) -> &AnswerKey {
        &self.0
    }
}

/// Frees memory of what nobody reads any more. Whether an answer serves is told by its own instant, on tokio's clock.
struct Forget;

/// moka's timers take no longer times than this.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl<D> Expiry<Kept, Arc<Entry<D>>> for Forget {
    fn expire_after_create(
        &self,
        _: &Kept,
        entry: &Arc<Entry<D>>,
        _: std::time::Instant, // house-ok: moka's own clock
    ) -> Option<Duration> {
        Some(entry.keep_for.min(LONGEST))
    }

    fn expire_after_update(
        &self,
        _: &Kept,
        entry: &Arc<Entry<D>>,
        _: std::time::Instant, // house-ok: moka's own clock
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.keep_for.min(LONGEST))
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

    /// Its frames, trailers apart: for a [`Ladder`](crate::degrade::Ladder).
    #[must_use]
    pub fn frames(&self) -> Vec<D>
    where
        D: Clone,
    {
        let pieces = self.entry.pieces.iter();
        pieces.filter_map(Piece::data).cloned().collect()
    }

    /// As a response whose body replays the frames, without a copy; marked with its [`CacheStatus`].
    #[must_use]
    pub fn into_response<E>(self) -> Response<ReplayBody<D, E>> {
        let mut response = self.entry.head.response(ReplayBody {
            entry: Arc::clone(&self.entry),
            next: 0,
            error: PhantomData,
        });
        response.extensions_mut().insert(self.status);
        response
    }
}

impl<D> fmt::Debug for KeptAnswer<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
