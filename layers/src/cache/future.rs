//! The future of the cache.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use tower_service::Service;

use super::{
    AnswerKey, Cache, CacheBody, CacheStatus, CachedAnswer,
    external_store::Looking,
    flight::{Begun, Entered, Flights, Lost, Order, Reader, Upstream, broken},
};
use crate::{Coalesced, Failure, Frame, LayerError};

/// The future of [`CacheService`](super::CacheService).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct CacheFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    #[pin]
    state: State<S, R, B, S::Future>,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
enum State<S, R, B: Body, F> {
    Passed(#[pin] F),
    Kept(Option<CachedAnswer<B::Data>>),
    /// A store of one's own is looked at.
    Looking(Option<Box<Look<S, R, B>>>),
    Reading {
        reader: Reader<B::Data, B::Error>,
        /// What it takes to call again; only for a request that has joined.
        again: Option<Box<Again<S, R, B>>>,
    },
    Ended,
}

/// A look at a store, and what follows a miss.
struct Look<S, R, B: Body> {
    looking: Box<Looking<B::Data>>,
    key: AnswerKey,
    cache: Cache<B::Data>,
    /// What it takes to make the call; `None` if it allows only cached responses.
    again: Option<Again<S, R, B>>,
}

/// What it takes to make the call itself.
pub(super) struct Again<S, R, B: Body> {
    pub(super) service: S,
    pub(super) request: Request<R>,
    pub(super) order: Order,
    pub(super) cache: Cache<B::Data>,
    pub(super) flights: Arc<Flights<B::Data, B::Error>>,
}

impl<S, R, B> CacheFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    pub(super) const fn passed(future: S::Future) -> Self {
        Self {
            state: State::Passed(future),
        }
    }

    pub(super) const fn kept(kept: Option<CachedAnswer<B::Data>>) -> Self {
        Self {
            state: State::Kept(kept),
        }
    }

    pub(super) fn looking(
        looking: Box<Looking<B::Data>>,
        key: AnswerKey,
        cache: Cache<B::Data>,
        again: Option<Again<S, R, B>>,
    ) -> Self {
        let look = Look {
            looking,
            key,
            cache,
            again,
        };
        Self {
            state: State::Looking(Some(Box::new(look))),
        }
    }

    pub(super) const fn reading(reader: Reader<B::Data, B::Error>, again: Option<Box<Again<S, R, B>>>) -> Self {
        Self {
            state: State::Reading { reader, again },
        }
    }
}

impl<S, R, B> Future for CacheFuture<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error> + Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Frame + Clone + Send + Sync + 'static,
    B::Error: Failure + From<LayerError> + Send + 'static,
{
    type Output = Result<Response<CacheBody<B>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let begun = match state.as_mut().project() {
                StateProjection::Passed(future) => {
                    let result = ready!(future.poll(cx));
                    state.set(State::Ended);
                    return Poll::Ready(result.map(|response| response.map(CacheBody::passed)));
                }
                StateProjection::Kept(kept) => {
                    let kept = kept.take();
                    state.set(State::Ended);
                    let Some(kept) = kept else {
                        return Poll::Ready(Err(LayerError::CacheMiss.into()));
                    };
                    tracing::debug!(age = ?kept.status().age, "cached response");
                    return Poll::Ready(Ok(kept.into_response_of(CacheBody::kept)));
                }
                StateProjection::Looking(look) => {
                    let Some(looks) = look else { return Poll::Pending };
                    let found = ready!(Pin::new(&mut looks.looking).poll(cx));
                    let Some(looked) = look.take() else {
                        return Poll::Pending;
                    };
                    let Look { key, cache, again, .. } = *looked;
                    let kept = found.and_then(|entry| cache.fresh_of(&key, entry));
                    let next = match (kept, again) {
                        (None, Some(again)) => again.ask(key).state,
                        (kept, _) => State::Kept(kept),
                    };
                    state.set(next);
                    continue;
                }
                StateProjection::Reading { reader, again } => match ready!(reader.poll_head(cx)) {
                    Err(Lost::Retry) if again.is_some() => {
                        if let Some(again) = again.take() {
                            tracing::debug!("the coalesced call failed for its leader's own reasons");
                            let next = again.ask(reader.key());
                            state.set(next.state);
                        }
                        continue;
                    }
                    other => other,
                },
                StateProjection::Ended => return Poll::Pending,
            };
            let StateOwned::Reading { reader, .. } = state.as_mut().project_replace(State::Ended) else {
                return Poll::Pending;
            };
            return Poll::Ready(match begun {
                Ok(begun) => Ok(respond(begun, reader)),
                Err(Lost::Failed(error)) => Err(error),
                Err(Lost::Retry) => Err(broken().into()),
            });
        }
    }
}

impl<S, R, B> Again<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = B::Error> + Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Frame + Clone + Send + Sync + 'static,
    B::Error: Failure + From<LayerError> + Send + 'static,
{
    /// Makes the call, or joins an identical one that is already in flight.
    fn ask(self, key: AnswerKey) -> CacheFuture<S, R, B> {
        let Self {
            service,
            request,
            order,
            cache,
            flights,
        } = self;
        let with = (service, request);
        let entered = flights.enter(&cache, (key, order), with, |(service, request)| {
            Upstream::readying(service, request)
        });
        match entered {
            Entered::Kept(kept) => CacheFuture::kept(Some(kept)),
            Entered::Leads(reader) => CacheFuture::reading(reader, None),
            // Not without an idempotency key.
            Entered::Busy | Entered::Differs => CacheFuture::kept(None),
            Entered::Joins(reader, (service, request)) => {
                let again = Self {
                    service,
                    request,
                    order,
                    cache,
                    flights,
                };
                CacheFuture::reading(reader, Some(Box::new(again)))
            }
        }
    }
}

/// The response, marked.
fn respond<B>(begun: Begun, reader: Reader<B::Data, B::Error>) -> Response<CacheBody<B>>
where
    B: Body,
    B::Data: Frame + Clone + Send + Sync + 'static,
    B::Error: Failure + From<LayerError> + Send + 'static,
{
    let status = CacheStatus {
        hit: false,
        stale: false,
        age: Duration::ZERO,
        key: reader.key(),
    };
    let shared = reader.joined_after().map(|joined_after| Coalesced { joined_after });
    let mut response = begun.response(CacheBody::read(reader));
    response.extensions_mut().insert(status);
    if let Some(shared) = shared {
        response.extensions_mut().insert(shared);
    }
    response
}

impl<S, R, B> fmt::Debug for CacheFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Passed(_) => "CacheFuture(passed)",
            State::Kept(_) => "CacheFuture(kept)",
            State::Looking(_) => "CacheFuture(looking)",
            State::Reading { .. } => "CacheFuture(reading)",
            State::Ended => "CacheFuture(ended)",
        })
    }
}
