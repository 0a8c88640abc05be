use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project::pin_project;
use tokio::{sync::oneshot, time::Instant};
use tower_service::Service;

use super::{AdaptiveConcurrencyBody, gate::Permit, is_overload, queue::Turn, watch::PermitWatch};
use crate::{Failure, LayerError, call::FirstTokenTimer, metering, watch::WatchBody};

/// The future of [`AdaptiveConcurrency`](super::AdaptiveConcurrency).
#[pin_project]
pub struct AdaptiveConcurrencyFuture<S, Q>
where
    S: Service<Q>,
{
    #[pin]
    state: State<S, Q, S::Future>,
    /// Times its first token.
    timer: Option<FirstTokenTimer>,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
enum State<S, Q, F> {
    Waiting(Box<(S, Q, oneshot::Receiver<Turn>)>, Instant),
    Passed(#[pin] F, Option<Permit>),
    Refused(Box<LayerError>),
    Ended,
}

impl<S, Q> AdaptiveConcurrencyFuture<S, Q>
where
    S: Service<Q>,
{
    pub(super) const fn unlimited(future: S::Future) -> Self {
        Self {
            state: State::Passed(future, None),
            timer: None,
        }
    }

    pub(super) const fn passed(future: S::Future, permit: Permit, timer: Option<FirstTokenTimer>) -> Self {
        Self {
            state: State::Passed(future, Some(permit)),
            timer,
        }
    }

    pub(super) fn waiting(
        (service, request): (S, Q),
        turn: oneshot::Receiver<Turn>,
        timer: Option<FirstTokenTimer>,
    ) -> Self {
        Self {
            state: State::Waiting(Box::new((service, request, turn)), Instant::now()),
            timer,
        }
    }

    pub(super) fn refused(error: LayerError) -> Self {
        Self {
            state: State::Refused(Box::new(error)),
            timer: None,
        }
    }
}

impl<S, Q, B> Future for AdaptiveConcurrencyFuture<S, Q>
where
    S: Service<Q, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    B: http_body::Body<Error = S::Error>,
{
    type Output = Result<Response<AdaptiveConcurrencyBody<B>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        loop {
            match state.as_mut().project() {
                StateProjection::Waiting(waiting, since) => {
                    let turn = ready!(Pin::new(&mut waiting.2).poll(cx));
                    metering::waited("adaptive_concurrency", since.elapsed());
                    let StateOwned::Waiting(waiting, _) = state.as_mut().project_replace(State::Ended) else {
                        return Poll::Pending;
                    };
                    let (mut service, request, _) = *waiting;
                    // The gate lives as long as a call waits at it: without it nothing is limited.
                    match turn.ok().transpose() {
                        Ok(permit) => {
                            let future = service.call(request);
                            state.set(State::Passed(future, permit));
                        }
                        Err(refusal) => {
                            metering::refused("adaptive_concurrency", "concurrency");
                            tracing::debug!(why = %refusal, "attempt shed");
                            state.set(State::Refused(refusal));
                        }
                    }
                }
                StateProjection::Passed(future, permit) => {
                    let result = ready!(future.poll(cx));
                    let permit = permit.take();
                    state.set(State::Ended);
                    return Poll::Ready(match result {
                        Ok(response) => {
                            if let Some(permit) = &permit {
                                permit.began(this.timer.as_ref());
                            }
                            Ok(response.map(|body| WatchBody::new(body, PermitWatch(permit))))
                        }
                        Err(error) => {
                            if let Some(permit) = permit.filter(|_| is_overload(&error)) {
                                permit.overloaded();
                            }
                            Err(error)
                        }
                    });
                }
                StateProjection::Refused(_) => {
                    let StateOwned::Refused(error) = state.as_mut().project_replace(State::Ended) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Err((*error).into()));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

impl<S, Q> fmt::Debug for AdaptiveConcurrencyFuture<S, Q>
where
    S: Service<Q>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::Waiting(..) => "AdaptiveConcurrencyFuture(waiting)",
            State::Passed(..) => "AdaptiveConcurrencyFuture(passed)",
            State::Refused(_) => "AdaptiveConcurrencyFuture(refused)",
            State::Ended => "AdaptiveConcurrencyFuture(ended)",
        })
    }
}
