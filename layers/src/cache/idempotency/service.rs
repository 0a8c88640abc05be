//! The service that makes calls with the same key once.

use std::{fmt, sync::Arc};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{IdempotencyFuture, IdempotencyKey, InFlight, future::Again, layer::Parts, once::Terms, replay::Account};
use crate::{
    CacheKey, CacheMode, Failure, Frame, KeyExtractor, LayerError, LlmRequest,
    cache::{
        CacheBody,
        flight::{OneKey, Order},
    },
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`IdempotencyLayer`](super::IdempotencyLayer). It is ready when the wrapped service is.
pub struct Idempotency<S, D, E, X> {
    pub(super) inner: S,
    pub(super) parts: Arc<Parts<D, E, X>>,
}

impl<S, D, E, X> Idempotency<S, D, E, X> {
    inner_accessors!();

    /// How many calls with a key are in flight in this process.
    pub fn calls_in_flight(&self) -> usize {
        self.parts.flights.len()
    }
}

impl<S: Clone, D, E, X> Clone for Idempotency<S, D, E, X> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            parts: Arc::clone(&self.parts),
        }
    }
}

impl<S, D, E, X> fmt::Debug for Idempotency<S, D, E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl<S, R, B, X> Service<Request<R>> for Idempotency<S, B::Data, S::Error, X>
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
    type Future = IdempotencyFuture<S, R, B>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let parts = &self.parts;
        let key = match IdempotencyKey::take(&mut request) {
            None => return IdempotencyFuture::passed(self.inner.call(request)),
            Some(Ok(key)) => key,
            Some(Err(problem)) => return IdempotencyFuture::refused(LayerError::BadIdempotencyKey { problem }.into()),
        };
        let Some(key) = parts.key(&request, &key) else {
            tracing::debug!("a call with an idempotency key has no tenant, and passes");
            return IdempotencyFuture::passed(self.inner.call(request));
        };
        if CacheMode::of(&request) == CacheMode::Bypass {
            return IdempotencyFuture::refused(LayerError::IdempotencyNoStore.into());
        }
        let of_request = parts.request(&request);
        let order = Order {
            one_key: Some(OneKey {
                request: of_request,
                waits: parts.in_flight == InFlight::Wait,
            }),
            ..Order::of(request.body().call())
        };
        let terms = Terms {
            store: Arc::clone(&parts.store),
            key,
            request: of_request,
            in_flight: parts.in_flight,
            keep_for: parts.keep_for,
            largest: parts.largest,
        };
        let account = Account::of(
            request.body(),
            #[cfg(feature = "cost")]
            parts.ledger.as_ref(),
        );
        // The service that is ready goes with the request; its clone stays here.
        let clone = self.inner.clone();
        let again = Again {
            service: std::mem::replace(&mut self.inner, clone),
            request,
            order,
            terms,
            flights: Arc::clone(&parts.flights),
            nowhere: parts.nowhere.clone(),
        };
        again.enter(account, Some(&mut self.inner))
    }
}
