//! The layer of idempotency keys, and what it is set to.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderName, Request};
use tower_layer::Layer;

use super::{Idempotency, IdempotencyStore};
use crate::{
    CacheKey, KeyExtractor,
    cache::{AnswerKey, Cache, KeySecret, flight::Flights},
};

/// How long an answer is kept by default.
const KEEP_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest answer that is kept by default, in bytes: streams are larger than their text.
const LARGEST: usize = 8 * 1024 * 1024;

/// What a call gets whose key is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum InFlight {
    /// The answer of the call in flight, as it comes. It waits for it within its own deadline.
    #[default]
    Wait,
    /// [`LayerError::IdempotencyInFlight`](crate::LayerError::IdempotencyInFlight), at once: 409 to a client.
    Refuse,
}

/// Makes calls with the same idempotency key once. See the [module](super). Clones and all their services share the state.
///
/// `D` is the frame, `E` the error of the services that it wraps, `X` extracts the tenant.
pub struct IdempotencyLayer<D, E, X>(Arc<Parts<D, E, X>>);

/// What all services of a layer share.
pub(super) struct Parts<D, E, X> {
    pub(super) store: Arc<dyn IdempotencyStore<D>>,
    pub(super) in_flight: InFlight,
    pub(super) keep_for: Duration,
    pub(super) largest: usize,
    #[cfg(feature = "cost")]
    pub(super) ledger: Option<Arc<dyn crate::ledger::Ledger>>,
    ignored: Vec<HeaderName>,
    secret: Option<KeySecret>,
    scope: X,
    /// Calls in flight in this process. What they end with is kept by the store, and not here.
    pub(super) flights: Arc<Flights<D, E>>,
    pub(super) nowhere: Cache<D>,
}

impl<D, E, X> IdempotencyLayer<D, E, X>
where
    D: crate::Frame + Clone + Send + Sync + 'static,
{
    /// Keeps answers in this store. `tenant` extracts the tenant of a request, whose keys are its own. A request without a tenant passes, whatever
    /// its key. For one tenant of all callers, use [`GlobalKey`](crate::GlobalKey).
    #[must_use]
    pub fn new(store: impl IdempotencyStore<D>, tenant: X) -> Self {
        Self(Arc::new(Parts {
            store: Arc::new(store),
            in_flight: InFlight::default(),
            keep_for: KEEP_FOR,
            largest: LARGEST,
            #[cfg(feature = "cost")]
            ledger: None,
            ignored: Vec::new(),
            secret: None,
            scope: tenant,
            flights: Arc::new(Flights::new()),
            nowhere: Cache::new(0).largest(LARGEST),
        }))
    }
}

impl<D, E, X: Clone> IdempotencyLayer<D, E, X> {
    fn set(mut self, change: impl FnOnce(&mut Parts<D, E, X>)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// What a call gets whose key is in flight; it waits by default.
    #[must_use]
    pub fn in_flight(self, in_flight: InFlight) -> Self {
        self.set(|parts| parts.in_flight = in_flight)
    }

    /// How long an answer is kept; a day by default.
    #[must_use]
    pub fn keep_for(self, time: Duration) -> Self {
        self.set(|parts| parts.keep_for = time)
    }

    /// The largest answer that is kept, in bytes; 8 MiB by default. A call with the key of a larger one is refused, and not made again.
    #[must_use]
    pub fn largest(self, bytes: usize) -> Self
    where
        D: crate::Frame + Clone + Send + Sync + 'static,
    {
        self.set(|parts| {
            parts.largest = bytes;
            parts.nowhere = Cache::new(0).largest(bytes);
        })
    }

    /// Leaves one more header out of what makes two requests the same: one that differs from call to call, for example an id of your own for
    /// tracing. See [`CacheLayer::ignore_header`](crate::cache::CacheLayer::ignore_header).
    #[must_use]
    pub fn ignore_header(self, name: HeaderName) -> Self {
        self.set(|parts| parts.ignored.push(name))
    }

    /// Hashes keys with this secret instead of this process's own: for a store that several processes share.
    #[must_use]
    pub fn key_secret(self, secret: KeySecret) -> Self {
        self.set(|parts| parts.secret = Some(secret))
    }

    /// Records each replay in this ledger: an entry without an attempt and without cost, with the tag `idempotent_replay`. None by default.
    #[cfg(feature = "cost")]
    #[must_use]
    pub fn ledger(self, ledger: Arc<dyn crate::ledger::Ledger>) -> Self {
        self.set(|parts| parts.ledger = Some(ledger))
    }

    /// Whether a ledger was set.
    #[cfg(feature = "cost")]
    #[must_use]
    pub fn has_ledger(&self) -> bool {
        self.0.ledger.is_some()
    }
}

impl<D, E, X> Parts<D, E, X> {
    /// What a key is found by: it belongs to its tenant, and to its API.
    pub(super) fn key<R>(&self, request: &Request<R>, key: &str) -> Option<AnswerKey>
    where
        X: KeyExtractor<R>,
    {
        let scope = self.scope.key(request)?;
        Some(AnswerKey::of_parts(
            self.secret.as_ref(),
            &[b"idempotency", scope.as_bytes(), key.as_bytes()],
        ))
    }

    /// What distinguishes this request from another one with the same key.
    pub(super) fn request<R: CacheKey>(&self, request: &Request<R>) -> AnswerKey {
        AnswerKey::of(self.secret.as_ref(), "", request, &self.ignored)
    }
}

impl<S, D, E, X> Layer<S> for IdempotencyLayer<D, E, X> {
    type Service = Idempotency<S, D, E, X>;

    fn layer(&self, inner: S) -> Self::Service {
        Idempotency {
            inner,
            parts: Arc::clone(&self.0),
        }
    }
}

impl<D, E, X: Clone> Clone for Parts<D, E, X> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            #[cfg(feature = "cost")]
            ledger: self.ledger.clone(),
            ignored: self.ignored.clone(),
            secret: self.secret.clone(),
            scope: self.scope.clone(),
            flights: Arc::clone(&self.flights),
            nowhere: self.nowhere.clone(),
            ..*self
        }
    }
}

impl<D, E, X> Clone for IdempotencyLayer<D, E, X> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D, E, X> fmt::Debug for IdempotencyLayer<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IdempotencyLayer").field(&self.0).finish()
    }
}

impl<D, E, X> fmt::Debug for Parts<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("store", &self.store)
            .field("in_flight", &self.in_flight)
            .field("keep_for", &self.keep_for)
            .field("largest", &self.largest)
            .field("ignored_headers", &self.ignored)
            .field("calls_in_flight", &self.flights.len())
            .finish_non_exhaustive()
    }
}

impl<D, E, X> fmt::Display for IdempotencyLayer<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let busy = match self.0.in_flight {
            InFlight::Wait => "a call whose key is in flight waits",
            InFlight::Refuse => "a call whose key is in flight is refused",
        };
        write!(f, "idempotency keys for {:?}, {busy}", self.0.keep_for)
    }
}
