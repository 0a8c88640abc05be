//! The layer of the cache.

use std::{fmt, sync::Arc};

use http::{HeaderName, Request};
use tower_layer::Layer;

use super::{AnswerKey, Cache, CacheService, KeySecret, flight::Flights};
use crate::{CacheKey, KeyExtractor};

/// Caches responses, and coalesces identical concurrent requests. See the [module](super). Clones and all their services share the state.
///
/// `D` is the frame, `E` the error of the services that it wraps, `X` extracts the tenant.
pub struct CacheLayer<D, E, X> {
    pub(super) single_flight: bool,
    only_temperature_zero: bool,
    ignored: Vec<HeaderName>,
    /// Without one, that of this process.
    secret: Option<KeySecret>,
    pub(super) cache: Cache<D>,
    pub(super) flights: Arc<Flights<D, E>>,
    tenant: X,
}

impl<D, E, X> CacheLayer<D, E, X> {
    /// Caches responses here. `tenant` extracts the tenant of a request: no tenant gets a response that another tenant requested. A request
    /// without a tenant bypasses the cache. To share between all callers, use [`GlobalKey`](crate::GlobalKey).
    ///
    /// Each header of the request is part of the key as well, since it may reach the upstream and change the answer, except those that
    /// [change no answer](crate::is_irrelevant_header), those that the request [ignores](CacheKey::ignores_header), and those that
    /// [`ignore_header`](Self::ignore_header) names. Whatever else the answer depends on (a candidate, an extension) belongs to the
    /// tenant's key, too.
    #[must_use]
    pub fn new(cache: Cache<D>, tenant: X) -> Self {
        Self {
            single_flight: true,
            only_temperature_zero: false,
            ignored: Vec::new(),
            secret: None,
            cache,
            flights: Arc::new(Flights::new()),
            tenant,
        }
    }

    /// Whether identical requests share one upstream call while it is in flight. On by default.
    #[must_use]
    pub const fn single_flight(mut self, on: bool) -> Self {
        self.single_flight = on;
        self
    }

    /// Whether only requests with temperature 0 are cached and coalesced; others, and those that name none, then bypass the cache. Off by
    /// default: the same request gets the same response twice. Turn it on if callers want many samples of one prompt.
    #[must_use]
    pub const fn only_temperature_zero(mut self, on: bool) -> Self {
        self.only_temperature_zero = on;
        self
    }

    /// Leaves one more header out of the key: one that differs from call to call and changes no answer, for example an id of your own for tracing.
    ///
    /// A header that is ignored by mistake gives one caller the answer to another one's request.
    #[must_use]
    pub fn ignore_header(mut self, name: HeaderName) -> Self {
        self.ignored.push(name);
        self
    }

    /// Hashes keys with this secret instead of this process's own, so that they are the same in every process that has it: for a
    /// [store](super::CacheStore) that several processes share.
    #[must_use]
    pub fn key_secret(mut self, secret: KeySecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// The cache.
    #[must_use]
    pub const fn cache(&self) -> &Cache<D> {
        &self.cache
    }

    /// The key of the response to this request, e.g. for [`Cache::stale`]; `None` if the request bypasses the cache.
    #[must_use]
    pub fn key<R>(&self, request: &Request<R>) -> Option<AnswerKey>
    where
        R: CacheKey,
        X: KeyExtractor<R>,
    {
        let body = request.body();
        if !body.is_cacheable() || (self.only_temperature_zero && body.requested_temperature() != Some(0.0)) {
            return None;
        }
        let scope = self.tenant.key(request)?;
        Some(AnswerKey::of(self.secret.as_ref(), &scope, request, &self.ignored))
    }
}

impl<S, D, E, X: Clone> Layer<S> for CacheLayer<D, E, X> {
    type Service = CacheService<S, D, E, X>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService {
            inner,
            shared: Arc::new(self.clone()),
        }
    }
}

impl<D, E, X: Clone> Clone for CacheLayer<D, E, X> {
    fn clone(&self) -> Self {
        Self {
            ignored: self.ignored.clone(),
            secret: self.secret.clone(),
            cache: self.cache.clone(),
            flights: Arc::clone(&self.flights),
            tenant: self.tenant.clone(),
            ..*self
        }
    }
}

impl<D, E, X> fmt::Debug for CacheLayer<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("single_flight", &self.single_flight)
            .field("only_temperature_zero", &self.only_temperature_zero)
            .field("ignored_headers", &self.ignored)
            .field("cache", &self.cache)
            .field("coalescable_calls", &self.flights.len())
            .finish_non_exhaustive()
    }
}
