use std::{fmt, sync::Arc};

use http::Request;
use tower_layer::Layer;

use super::{AnswerKey, Cache, CacheKey, CacheService, flight::Flights};
use crate::KeyOf;

/// Keeps answers, and shares those that are on their way. See the [module](super). Clones and all their services share the state.
///
/// `D` is the frame, `E` the error of the services that it wraps, `X` tells tenants apart.
pub struct CacheLayer<D, E, X> {
    pub(super) settings: Settings,
    pub(super) cache: Cache<D>,
    flights: Arc<Flights<D, E>>,
    pub(super) scope: X,
}

/// What a service must know beside the cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) single_flight: bool,
    pub(super) only_temperature_zero: bool,
}

impl<D, E, X> CacheLayer<D, E, X> {
    /// Keeps answers here. `tenant` tells whose a request is: one tenant never gets an answer that another one asked for. A request
    /// without a tenant goes past the cache. To share between all, say so: [`Everyone`](crate::Everyone).
    ///
    /// Whatever else the answer depends on and the request's body does not show (a header, a candidate) belongs to that key, too.
    #[must_use]
    pub fn new(cache: Cache<D>, tenant: X) -> Self {
        Self {
            settings: Settings {
                single_flight: true,
                only_temperature_zero: false,
            },
            cache,
            flights: Arc::new(Flights::new()),
            scope: tenant,
        }
    }

    /// Whether calls that are the same share one call upstream while it is under way. On by default.
    #[must_use]
    pub const fn single_flight(mut self, on: bool) -> Self {
        self.settings.single_flight = on;
        self
    }

    /// Whether only requests with temperature 0 are kept and shared; others, and those that name none, then go past. Off by
    /// default: whoever asks the same twice gets the same answer twice. Turn it on where callers want many samples of one prompt.
    #[must_use]
    pub const fn only_temperature_zero(mut self, on: bool) -> Self {
        self.settings.only_temperature_zero = on;
        self
    }

    /// What is kept.
    #[must_use]
    pub const fn cache(&self) -> &Cache<D> {
        &self.cache
    }

    /// By which key the answer to this request is found, e.g. for [`Cache::stale`]; `None` where it goes past the cache.
    #[must_use]
    pub fn key<R>(&self, request: &Request<R>) -> Option<AnswerKey>
    where
        R: CacheKey,
        X: KeyOf<R>,
    {
        key(self.settings, &self.scope, request)
    }
}

pub(super) fn key<R, X>(settings: Settings, scope: &X, request: &Request<R>) -> Option<AnswerKey>
where
    R: CacheKey,
    X: KeyOf<R>,
{
    let body = request.body();
    if !body.may_be_kept() || (settings.only_temperature_zero && body.asked_temperature() != Some(0.0)) {
        return None;
    }
    let scope = scope.key(request)?;
    Some(AnswerKey::new(&scope, body))
}

impl<S, D, E, X: Clone> Layer<S> for CacheLayer<D, E, X> {
    type Service = CacheService<S, D, E, X>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService {
            inner,
            settings: self.settings,
            cache: self.cache.clone(),
            flights: Arc::clone(&self.flights),
            scope: self.scope.clone(),
        }
    }
}

impl<D, E, X: Clone> Clone for CacheLayer<D, E, X> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings,
            cache: self.cache.clone(),
            flights: Arc::clone(&self.flights),
            scope: self.scope.clone(),
        }
    }
}

impl<D, E, X> fmt::Debug for CacheLayer<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer")
            .field("settings", &self.settings)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
