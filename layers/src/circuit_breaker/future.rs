use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project::pin_project;

use super::{CircuitBreakerBody, admitted::Admitted};
use crate::Failure;

/// The future of [`CircuitBreaker`](super::CircuitBreaker).
#[pin_project]
#[derive(Debug)]
pub struct CircuitBreakerFuture<F, E> {
    #[pin]
    state: State<F, E>,
}

#[pin_project(project = StateProjection)]
#[derive(Debug)]
enum State<F, E> {
    Passed {
        #[pin]
        future: F,
        admitted: Option<Admitted>,
    },
    Refused(Option<E>),
    Ended,
}

impl<F, E> CircuitBreakerFuture<F, E> {
    pub(super) const fn passed(future: F, admitted: Option<Admitted>) -> Self {
        Self {
            state: State::Passed { future, admitted },
        }
    }

    pub(super) const fn refused(error: E) -> Self {
        Self {
            state: State::Refused(Some(error)),
        }
    }
}

impl<F, B, E> Future for CircuitBreakerFuture<F, E>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Failure,
{
    type Output = Result<Response<CircuitBreakerBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.state.as_mut().project() {
            StateProjection::Passed { future, admitted } => {
                let result = ready!(future.poll(cx));
                let admitted = admitted.take();
                this.state.set(State::Ended);
                Poll::Ready(match result {
                    Ok(response) => {
                        let begun = admitted.and_then(Admitted::began);
                        Ok(response.map(|body| CircuitBreakerBody::new(body, begun)))
                    }
                    Err(mut error) => {
                        // The circuit is open now: a retry would be refused, so it need not wait for its turn.
                        if admitted.is_some_and(|admitted| admitted.failed(&error)) {
                            error.set_exhausted();
                        }
                        Err(error)
                    }
                })
            }
            StateProjection::Refused(error) => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Pending,
            },
            // Polled again after it was ready: stay silent rather than panic.
            StateProjection::Ended => Poll::Pending,
        }
    }
}
