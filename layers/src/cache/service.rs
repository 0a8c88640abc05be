//! The service of the cache.

use std::{fmt, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    Cache, CacheBody, CacheFuture, CacheLayer,
    flight::{Entered, Order, Upstream},
    future::Again,
    store::Found,
};
use crate::{
    CacheKey, CacheMode, Failure, Frame, KeyExtractor, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The part of a call's remaining time that a look at a store of one's own takes at most: the rest is for the call itself.
const SHARE_OF_LOOK: u32 = 4;

/// The service of [`CacheLayer`]. It is ready when the wrapped service is.
pub struct CacheService<S, D, E, X> {
    pub(super) inner: S,
    pub(super) shared: Arc<CacheLayer<D, E, X>>,
}

impl<S, D, E, X> CacheService<S, D, E, X> {
    inner_accessors!();

    /// The cache.
    pub fn cache(&self) -> &Cache<D> {
        &self.shared.cache
    }

    /// How many calls are under way that others may join.
    pub fn coalescable_calls(&self) -> usize {
        self.shared.flights.len()
    }
}

impl<S: Clone, D, E, X> Clone for CacheService<S, D, E, X> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, D, E, X> fmt::Debug for CacheService<S, D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheService")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl<S, R, B, X> Service<Request<R>> for CacheService<S, B::Data, S::Error, X>
where
    S: Service<Request<R>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Failure + From<LayerError> + Send + 'static,
    X: KeyExtractor<R>,
    R: LlmRequest + CacheKey + Send + 'static,
    B: Body<Error = S::Error> + Send + 'static,
    B::Data: Frame + Clone + Send + Sync + 'static,
{
    type Response = Response<CacheBody<B>>;
    type Error = S::Error;
    type Future = CacheFuture<S, R, B>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let mode = CacheMode::of(&request);
        let shared = &*self.shared;
        let key = (mode != CacheMode::Bypass).then(|| shared.key(&request)).flatten();
        let calls = mode != CacheMode::OnlyIfCached;
        let Some(key) = key else {
            return if calls {
                CacheFuture::passed(self.inner.call(request))
            } else {
                CacheFuture::kept(None)
            };
        };
        let read = mode != CacheMode::Refresh;
        let order = Order {
            read,
            // What it fails by would be its own cap.
            share: shared.single_flight && !request.body().call().has_own_attempt_limit(),
            ..Order::of(request.body().call())
        };
        // Without the lock that stands before all calls under way.
        if read {
            let cap = request.body().call().remaining().map_or(Duration::MAX, |left| {
                // A call that allows only cached responses has nothing else to wait for.
                if calls { left / SHARE_OF_LOOK } else { left }
            });
            match shared.cache.find(&key, cap) {
                Found::Now(None) if calls => {}
                Found::Now(kept) => return CacheFuture::kept(kept),
                Found::Later(looking) => {
                    let again = calls.then(|| {
                        // The service that is ready waits with the request; its clone stays here.
                        let clone = self.inner.clone();
                        Again {
                            service: std::mem::replace(&mut self.inner, clone),
                            request,
                            order,
                            cache: shared.cache.clone(),
                            flights: Arc::clone(&shared.flights),
                        }
                    });
                    return CacheFuture::looking(looking, key, shared.cache.clone(), again);
                }
            }
        }
        let inner = &mut self.inner;
        let entered = shared.flights.enter(&shared.cache, (key, order), request, |request| {
            Upstream::<S, _, _, B>::calling(inner.call(request))
        });
        match entered {
            Entered::Kept(kept) => CacheFuture::kept(Some(kept)),
            Entered::Leads(reader) => CacheFuture::reading(reader, None),
            // Not without an idempotency key.
            Entered::Busy | Entered::Differs => CacheFuture::kept(None),
            Entered::Joins(reader, request) => {
                tracing::debug!(joined_after = ?reader.joined_after(), "joined an identical call in flight");
                let again = Again {
                    // The ready one stays, and its permit with it: this one is polled to readiness before it is called.
                    service: self.inner.clone(), // house-ok: polled to readiness in the flight
                    request,
                    order,
                    cache: shared.cache.clone(),
                    flights: Arc::clone(&shared.flights),
                };
                CacheFuture::reading(reader, Some(Box::new(again)))
            }
        }
    }
}
