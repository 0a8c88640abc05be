//! What idempotency keys need of a store.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use crate::cache::{AnswerKey, CachedResponse, StoreError};

/// Keeps the answers of calls by their idempotency keys, and which call is in flight.
///
/// [`InMemoryIdempotency`](super::InMemoryIdempotency) is one for a single process. One that several processes share needs the bytes of responses
/// ([`CachedResponse::to_bytes`]), keys that are the same in each process
/// ([`IdempotencyLayer::key_secret`](super::IdempotencyLayer::key_secret)), and a lease for each claim, since a process may be killed.
///
/// Its futures end by themselves in a bounded time: a call waits for them, within its deadline.
pub trait IdempotencyStore<D>: fmt::Debug + Send + Sync + 'static {
    /// Claims this key for a call with this request, or says what is known of it. One decision: of several that claim it at once, one gets it.
    fn claim(&self, key: &AnswerKey, request: &AnswerKey) -> Claiming<D>;
}

/// What a store says of a key.
pub type Claiming<D> = Pin<Box<dyn Future<Output = Result<Claim<D>, StoreError>> + Send>>;

/// What is known of a key.
#[non_exhaustive]
pub enum Claim<D> {
    /// Nothing was: the call is made under this claim.
    Taken(Box<dyn IdempotencyClaim<D>>),
    /// The same request is in flight.
    InFlight,
    /// The same request was answered so.
    Kept(CachedResponse<D>),
    /// The same request was answered, and the answer was too large to be kept.
    TooLarge,
    /// Another request has this key.
    OtherRequest,
}

/// The claim of a call in flight. Dropped, it frees its key. Neither blocks.
#[must_use = "the key is free again if it is dropped"]
pub trait IdempotencyClaim<D>: Send {
    /// Keeps the answer for so long, or, if there is `None`, that it was too large. The end of the answer waits for this.
    fn keep(self: Box<Self>, response: Option<CachedResponse<D>>, keep_for: Duration) -> Keeping;
}

/// Whether a store has kept an answer.
pub type Keeping = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

impl<D> fmt::Debug for Claim<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken(_) => "Claim::Taken",
            Self::InFlight => "Claim::InFlight",
            Self::Kept(_) => "Claim::Kept",
            Self::TooLarge => "Claim::TooLarge",
            Self::OtherRequest => "Claim::OtherRequest",
        })
    }
}
