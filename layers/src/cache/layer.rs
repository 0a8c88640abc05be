use std::{fmt, sync::Arc};

use http::{HeaderName, Request};
use tower_layer::Layer;

use super::{AnswerKey, Cache, CacheService, flight::Flights};
use crate::{CacheKey, KeyExtractor};

/// Keeps answers, and shares those that are on their way. See the [module](super). Clones and all their services share the state.
///
/// `D` is the frame, `E` the error of the services that it wraps, `X` tells tenants apart.
pub struct CacheLayer<D, E, X> {
    /// Nothing where the slot is empty.
    on: Option<Parts<D, E, X>>,
}

/// What all services of a layer share.
pub(super) struct Parts<D, E, X> {
    pub(super) single_flight: bool,
    only_temperature_zero: bool,
    ignored: Vec<HeaderName>,
    pub(super) cache: Cache<D>,
    pub(super) flights: Arc<Flights<D, E>>,
    scope: X,
}

impl<D, E, X> CacheLayer<D, E, X> {
    /// Keeps answers here. `tenant` tells whose a request is: one tenant never gets an answer that another one asked for. A request
    /// without a tenant goes past the cache. To share between all, say so: [`GlobalKey`](crate::GlobalKey).
    ///
    /// Each header of the request is part of the key as well, since it may reach the upstream and change the answer, except those that
    /// [change no answer](crate::changes_no_answer), those that the request [ignores](CacheKey::ignores_header), and those that
    /// [`ignore_header`](Self::ignore_header) names. Whatever else the answer depends on (a candidate, an extension) belongs to the
    /// tenant's key, too.
    #[must_use]
    pub fn new(cache: Cache<D>, tenant: X) -> Self {
        Self {
            on: Some(Parts {
                single_flight: true,
                only_temperature_zero: false,
                ignored: Vec::new(),
                cache,
                flights: Arc::new(Flights::new()),
                scope: tenant,
            }),
        }
    }

    /// Keeps and shares nothing: everything passes as it is. For a slot that stays empty.
    #[must_use]
    pub const fn off() -> Self {
        Self { on: None }
    }

    /// Whether calls that are the same share one call upstream while it is under way. On by default.
    #[must_use]
    pub const fn single_flight(mut self, on: bool) -> Self {
        if let Some(parts) = &mut self.on {
            parts.single_flight = on;
        }
        self
    }

    /// Whether only requests with temperature 0 are kept and shared; others, and those that name none, then go past. Off by
    /// default: whoever asks the same twice gets the same answer twice. Turn it on where callers want many samples of one prompt.
    #[must_use]
    pub const fn only_temperature_zero(mut self, on: bool) -> Self {
        if let Some(parts) = &mut self.on {
            parts.only_temperature_zero = on;
        }
        self
    }

    /// Leaves one more header out of the key: one that differs from call to call and changes no answer, an id of your own for tracing, say.
    ///
    /// A header that is ignored by mistake gives one caller the answer to another one's request.
    #[must_use]
    pub fn ignore_header(mut self, name: HeaderName) -> Self {
        if let Some(parts) = &mut self.on {
            parts.ignored.push(name);
        }
        self
    }

    /// What is kept; `None` where the layer is off.
    #[must_use]
    pub const fn cache(&self) -> Option<&Cache<D>> {
        match &self.on {
            Some(parts) => Some(&parts.cache),
            None => None,
        }
    }

    /// By which key the answer to this request is found, e.g. for [`Cache::stale`]; `None` where it goes past the cache.
    #[must_use]
    pub fn key<R>(&self, request: &Request<R>) -> Option<AnswerKey>
    where
        R: CacheKey,
        X: KeyExtractor<R>,
    {
        self.on.as_ref()?.key(request)
    }
}

impl<D, E, X> Parts<D, E, X> {
    pub(super) fn key<R>(&self, request: &Request<R>) -> Option<AnswerKey>
    where
        R: CacheKey,
        X: KeyExtractor<R>,
    {
        let body = request.body();
        if !body.may_be_kept() || (self.only_temperature_zero && body.asked_temperature() != Some(0.0)) {
            return None;
        }
        let scope = self.scope.key(request)?;
        Some(AnswerKey::of(&scope, request, &self.ignored))
    }
}

impl<S, D, E, X: Clone> Layer<S> for CacheLayer<D, E, X> {
    type Service = CacheService<S, D, E, X>;

    fn layer(&self, inner: S) -> Self::Service {
        CacheService {
            inner,
            on: self.on.clone().map(Arc::new),
        }
    }
}

impl<D, E, X: Clone> Clone for Parts<D, E, X> {
    fn clone(&self) -> Self {
        Self {
            ignored: self.ignored.clone(),
            cache: self.cache.clone(),
            flights: Arc::clone(&self.flights),
            scope: self.scope.clone(),
            ..*self
        }
    }
}

impl<D, E, X: Clone> Clone for CacheLayer<D, E, X> {
    fn clone(&self) -> Self {
        Self { on: self.on.clone() }
    }
}

impl<D, E, X> fmt::Debug for CacheLayer<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheLayer").field(&self.on).finish()
    }
}

impl<D, E, X> fmt::Debug for Parts<D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("single_flight", &self.single_flight)
            .field("only_temperature_zero", &self.only_temperature_zero)
            .field("ignored_headers", &self.ignored)
            .field("cache", &self.cache)
            .field("calls_shared", &self.flights.len())
            .finish_non_exhaustive()
    }
}
