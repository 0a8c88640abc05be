use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    Cache, CacheBody, CacheFuture, CacheKey, CacheMode,
    flight::{Entered, Flights, Order, Upstream},
    future::Again,
    layer::{self, Settings},
};
use crate::{Failure, Frame, KeyOf, LayerError, LlmRequest, macros::inner_accessors};

/// The service of [`CacheLayer`](super::CacheLayer). It is ready when the wrapped service is.
pub struct CacheService<S, D, E, X> {
    pub(super) inner: S,
    pub(super) settings: Settings,
    pub(super) cache: Cache<D>,
    pub(super) flights: Arc<Flights<D, E>>,
    pub(super) scope: X,
}

impl<S, D, E, X> CacheService<S, D, E, X> {
    inner_accessors!();

    /// What is kept.
    pub const fn cache(&self) -> &Cache<D> {
        &self.cache
    }

    /// How many calls are under way that others may join.
    pub fn calls_shared(&self) -> usize {
        self.flights.len()
    }
}

impl<S, D, E, X> Clone for CacheService<S, D, E, X>
where
    S: Clone,
    X: Clone,
{
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            settings: self.settings,
            cache: self.cache.clone(),
            flights: Arc::clone(&self.flights),
            scope: self.scope.clone(),
        }
    }
}

impl<S, D, E, X> fmt::Debug for CacheService<S, D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheService")
            .field("settings", &self.settings)
            .field("cache", &self.cache)
            .field("calls_shared", &self.calls_shared())
            .finish_non_exhaustive()
    }
}

impl<S, R, B, X> Service<Request<R>> for CacheService<S, B::Data, S::Error, X>
where
    S: Service<Request<R>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Failure + From<LayerError> + Send + 'static,
    X: KeyOf<R>,
    R: LlmRequest + CacheKey + Send + 'static,
    B: Body<Error = S::Error> + Send + 'static,
    B::Data: Frame + Clone + Send + Sync + 'static,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = CacheFuture<S, R, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let mode = CacheMode::of(&request);
        if mode == CacheMode::Bypass {
            return CacheFuture::passed(self.inner.call(request));
        }
        let key = layer::key(self.settings, &self.scope, &request);
        if mode == CacheMode::OnlyIfKept {
            let kept = key.and_then(|key| self.cache.fresh(&key));
            return CacheFuture::kept(kept);
        }
        let Some(key) = key else {
            return CacheFuture::passed(self.inner.call(request));
        };
        let order = Order {
            read: mode != CacheMode::Refresh,
            share: self.settings.single_flight,
            deadline: request.body().call().deadline(),
        };
        let inner = &mut self.inner;
        let entered = self.flights.enter(&self.cache, (key, order), request, |request| {
            Upstream::<S, _, _, B>::calling(inner.call(request))
        });
        match entered {
            Entered::Kept(kept) => {
                tracing::debug!(age = ?kept.status().age, "kept answer");
                CacheFuture::kept(Some(kept))
            }
            Entered::Leads(reader) => CacheFuture::reading(reader, None),
            Entered::Joins(reader, request) => {
                tracing::debug!(joined_after = ?reader.joined_after(), "shares a call under way");
                let again = Again {
                    // The ready one stays, and its permit with it: this one is asked for its readiness before it is called.
                    service: self.inner.clone(), // house-ok: polled to readiness in the flight
                    request,
                    order,
                    cache: self.cache.clone(),
                    flights: Arc::clone(&self.flights),
                };
                CacheFuture::reading(reader, Some(Box::new(again)))
            }
        }
    }
}
