//! A call with a key: its own, one that it joins, or one that it makes after that.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project::pin_project;
use tower_service::Service;

use super::{
    once::{Once, Terms},
    replay::Account,
};
use crate::{
    Failure, Frame, LayerError,
    cache::{
        Cache, CacheBody,
        flight::{Begun, Entered, Flights, Lost, Order, Reader, Upstream, broken},
    },
};

/// The future of [`Idempotency`](super::Idempotency).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct IdempotencyFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    #[pin]
    state: State<S, R, B, S::Future>,
}

#[pin_project(project = StateProjection)]
enum State<S, R, B: Body, F> {
    Passed(#[pin] F),
    Refused(Option<B::Error>),
    Reading(Option<Box<Reading<S, R, B>>>),
}

/// A reader of the call, and what it takes to call again; only for one that has joined.
struct Reading<S, R, B: Body> {
    reader: Reader<B::Data, B::Error>,
    again: Option<Again<S, R, B>>,
    account: Account,
}

/// What it takes to make the call itself.
pub(super) struct Again<S, R, B: Body> {
    pub(super) service: S,
    pub(super) request: Request<R>,
    pub(super) order: Order,
    pub(super) terms: Terms<B::Data>,
    pub(super) flights: Arc<Flights<B::Data, B::Error>>,
    pub(super) nowhere: Cache<B::Data>,
}

impl<S, R, B> IdempotencyFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    pub(super) const fn passed(future: S::Future) -> Self {
        Self {
            state: State::Passed(future),
        }
    }

    pub(super) const fn refused(error: B::Error) -> Self {
        Self {
            state: State::Refused(Some(error)),
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
    /// Makes the call under its key, or joins the one in flight in this process. One that joins leaves the service that is ready, and its permit
    /// with it, in the place of the `spare` one.
    pub(super) fn enter(self, account: Account, spare: Option<&mut S>) -> IdempotencyFuture<S, R, B> {
        let (order, key) = (self.order, self.terms.key);
        let (flights, nowhere) = (Arc::clone(&self.flights), self.nowhere.clone());
        let entered = flights.enter(&nowhere, (key, order), self, |again| {
            Once::begin(again.terms, Upstream::readying(again.service, again.request))
        });
        let (reader, again) = match entered {
            Entered::Leads(reader) => (reader, None),
            Entered::Joins(reader, mut again) => {
                if let Some(spare) = spare {
                    // The unready one is polled to readiness before it is called.
                    std::mem::swap(&mut again.service, spare);
                }
                (reader, Some(again))
            }
            Entered::Busy => return IdempotencyFuture::refused(LayerError::IdempotencyInFlight.into()),
            Entered::Differs => return IdempotencyFuture::refused(LayerError::IdempotencyMismatch.into()),
            // Nothing is kept there.
            Entered::Kept(_) => return IdempotencyFuture::refused(broken().into()),
        };
        let reading = Reading { reader, again, account };
        IdempotencyFuture {
            state: State::Reading(Some(Box::new(reading))),
        }
    }
}

impl<S, R, B> Future for IdempotencyFuture<S, R, B>
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
            let reading = match state.as_mut().project() {
                StateProjection::Passed(future) => {
                    let result = ready!(future.poll(cx));
                    state.set(State::Refused(None));
                    return Poll::Ready(result.map(|response| response.map(CacheBody::passed)));
                }
                StateProjection::Refused(error) => {
                    let Some(error) = error.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Err(error));
                }
                StateProjection::Reading(reading) => reading,
            };
            let Some(reads) = reading else { return Poll::Pending };
            let begun = ready!(reads.reader.poll_head(cx));
            let Some(read) = reading.take() else {
                return Poll::Pending;
            };
            let Reading { reader, again, account } = *read;
            return Poll::Ready(match (begun, again) {
                (Ok(begun), _) => Ok(respond(begun, reader, account)),
                (Err(Lost::Failed(error)), _) => Err(error),
                (Err(Lost::Retry), Some(again)) => {
                    tracing::debug!("the call with this idempotency key ended for its caller's own reasons");
                    drop(reader);
                    state.set(again.enter(account, None).state);
                    continue;
                }
                (Err(Lost::Retry), None) => Err(broken().into()),
            });
        }
    }
}

/// The response, marked.
fn respond<B>(begun: Begun, reader: Reader<B::Data, B::Error>, account: Account) -> Response<CacheBody<B>>
where
    B: Body,
    B::Data: Frame + Clone + Send + Sync + 'static,
    B::Error: Failure + From<LayerError> + Send + 'static,
{
    let joined_after = reader.joined_after();
    let mut response = begun.response(CacheBody::read(reader));
    account.mark(&mut response, joined_after);
    response
}

impl<S, R, B> fmt::Debug for IdempotencyFuture<S, R, B>
where
    S: Service<Request<R>>,
    B: Body,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Passed(_) => "IdempotencyFuture(passed)",
            State::Refused(_) => "IdempotencyFuture(refused)",
            State::Reading(_) => "IdempotencyFuture(reading)",
        })
    }
}
