//! What a cache needs of a store of one's own.

use std::{future::Future, pin::Pin};

use super::{AnswerKey, CachedResponse};

/// Why a store failed: for the log.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// A look at a store that answers later.
pub type LookupFuture<D> = Pin<Box<dyn Future<Output = Result<Option<CachedResponse<D>>, StoreError>> + Send>>;

/// What a store has under a key.
pub enum Lookup<D> {
    /// It is known at once: a store in memory.
    Now(Option<CachedResponse<D>>),
    /// It is known later: a store elsewhere. A call waits for it up to [`Cache::store_timeout`](super::Cache::store_timeout).
    Later(LookupFuture<D>),
}

/// Keeps the responses of a [`Cache`](super::Cache) in the place of its own memory: with another eviction, or in a store that several
/// processes share. Given to [`Cache::with_store`](super::Cache::with_store).
///
/// A store that fails or hangs fails no call: what it cannot say is a miss. After a failure the cache does not look at it for a second, and then
/// one look in each second is a probe, so that calls do not wait for it one after another. A call that has a deadline waits for a quarter of the
/// time that is left at most; such a look counts as a failure if the store has answered no other one for the whole timeout.
///
/// No method may block. [`put`](Self::put), [`remove`](Self::remove) and [`clear`](Self::clear) return at once: a store elsewhere does the work
/// in a task of its own, in the order of these calls, or a response that was forgotten comes back. No lock is held meanwhile that
/// another call waits for.
///
/// A store drops a response when it is [over](CachedResponse::remaining_time_to_live); one that is returned later is not used. Identical calls that begin
/// while a store is looked at or written to may each reach the upstream.
///
/// A process that can write to a shared store decides what callers get, and one that can read it sees the responses: allow both to your own
/// processes only.
///
/// ```
/// use std::{collections::VecDeque, sync::Mutex};
/// use tower_llm_layers::cache::{AnswerKey, Cache, CacheStore, CachedResponse, Lookup};
///
/// /// The last hundred responses, first in, first out.
/// struct Fifo<D>(Mutex<VecDeque<(AnswerKey, CachedResponse<D>)>>);
///
/// impl<D: Send + Sync + 'static> CacheStore<D> for Fifo<D> {
///     fn get(&self, key: &AnswerKey) -> Lookup<D> {
///         let kept = self.0.lock().expect("no panic");
///         let found = kept.iter().find(|(known, _)| known == key);
///         Lookup::Now(found.map(|(_, response)| response.clone()))
///     }
///
///     fn put(&self, key: &AnswerKey, response: CachedResponse<D>) {
///         let mut kept = self.0.lock().expect("no panic");
///         kept.retain(|(known, _)| known != key);
///         if kept.len() == 100 {
///             kept.pop_front();
///         }
///         kept.push_back((*key, response));
///     }
///
///     fn remove(&self, key: &AnswerKey) {
///         self.0.lock().expect("no panic").retain(|(known, _)| known != key);
///     }
///
///     fn clear(&self) {
///         self.0.lock().expect("no panic").clear();
///     }
/// }
///
/// # use std::{convert::Infallible, marker::PhantomData};
/// # #[derive(Clone)] struct MyFrame;
/// # impl tower_llm_layers::Frame for MyFrame {
/// #     fn stage(&self) -> tower_llm_layers::Stage { tower_llm_layers::Stage::Finish }
/// # }
/// let cache: Cache<MyFrame> = Cache::with_store(Fifo(Mutex::default()));
/// ```
///
/// A store elsewhere needs bytes, [`CachedResponse::to_bytes`], and keys that are the same in each process:
/// [`CacheLayer::key_secret`](super::CacheLayer::key_secret).
pub trait CacheStore<D>: Send + Sync + 'static {
    /// The response under this key, if there is one.
    fn get(&self, key: &AnswerKey) -> Lookup<D>;

    /// Keeps a response under this key, in the place of any other.
    fn put(&self, key: &AnswerKey, response: CachedResponse<D>);

    /// Removes the response under this key.
    fn remove(&self, key: &AnswerKey);

    /// Removes all responses that this cache has put there.
    fn clear(&self);

    /// How many bytes it keeps, for [`Cache::bytes`](super::Cache::bytes); 0 if that is not known.
    fn bytes(&self) -> u64 {
        0
    }
}

impl<D> std::fmt::Debug for Lookup<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Now(Some(_)) => "Lookup::Now(hit)",
            Self::Now(None) => "Lookup::Now(miss)",
            Self::Later(_) => "Lookup::Later",
        })
    }
}
