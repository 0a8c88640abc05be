//! A future of a layer that may have to wait before it makes the call.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Request;
use pin_project::pin_project;
use tower_service::Service;

use super::{InSpan, Respond, WatchFuture};

/// What a call waits for before it is made: a place, a reservation, a key.
///
/// ```
/// use std::{future::Future, pin::Pin, task::{Context, Poll}};
/// use http::Request;
/// use tower_llm_layers::watch::{Admit, Pass};
///
/// /// Keeps each call back for a moment.
/// struct Moment(Pin<Box<tokio::time::Sleep>>);
///
/// impl<R, E> Admit<R, E> for Moment {
///     type Respond = Pass;
///
///     fn poll_admit(&mut self, _: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<Pass, E>> {
///         self.0.as_mut().poll(cx).map(|()| Ok(Pass))
///     }
/// }
/// ```
pub trait Admit<R, E> {
    /// What becomes of the call's result, once the call is made.
    type Respond: InSpan;

    /// Waits until the call may be made, and may change its request. Not called again once it is ready.
    fn poll_admit(&mut self, request: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<Self::Respond, E>>;
}

/// Waits, then polls the service below and maps its result, or refuses.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct AdmitFuture<S, R, A>
where
    S: Service<Request<R>>,
    A: Admit<R, S::Error>,
{
    #[pin]
    state: State<Waiting<S, R, A>, Admitted<S, R, A>>,
}

/// A call that is made, or refused.
type Admitted<S, R, A> = WatchFuture<
    <S as Service<Request<R>>>::Future,
    <S as Service<Request<R>>>::Error,
    <A as Admit<R, <S as Service<Request<R>>>::Error>>::Respond,
>;

#[pin_project(project = StateProjection)]
enum State<W, F> {
    Waiting(Option<Box<W>>),
    Admitted(#[pin] F),
}

/// A call that waits, with the service that is ready for it.
struct Waiting<S, R, A> {
    service: S,
    request: Request<R>,
    admit: A,
}

impl<S, R, A> AdmitFuture<S, R, A>
where
    S: Service<Request<R>>,
    A: Admit<R, S::Error>,
{
    /// Polls this future and maps its result.
    #[inline]
    pub const fn calling(future: S::Future, respond: A::Respond) -> Self {
        Self {
            state: State::Admitted(WatchFuture::calling(future, respond)),
        }
    }

    /// Fails at once, without a call.
    pub const fn refused(error: S::Error) -> Self {
        Self {
            state: State::Admitted(WatchFuture::refused(error)),
        }
    }

    /// Waits. The service that is ready waits with the request, and its clone takes its place: it has not been made ready.
    pub fn waiting(service: &mut S, request: Request<R>, admit: A) -> Self
    where
        S: Clone,
    {
        let clone = service.clone();
        let service = std::mem::replace(service, clone);
        let waiting = Waiting {
            service,
            request,
            admit,
        };
        Self {
            state: State::Waiting(Some(Box::new(waiting))),
        }
    }
}

impl<S, R, A> fmt::Debug for AdmitFuture<S, R, A>
where
    S: Service<Request<R>>,
    A: Admit<R, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmitFuture")
            .field("is_waiting", &matches!(self.state, State::Waiting(_)))
            .finish_non_exhaustive()
    }
}

impl<S, R, A> Future for AdmitFuture<S, R, A>
where
    S: Service<Request<R>>,
    A: Admit<R, S::Error>,
    A::Respond: Respond<S::Response, S::Error>,
{
    type Output = Result<<A::Respond as Respond<S::Response, S::Error>>::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        if let StateProjection::Waiting(waiting) = state.as_mut().project() {
            let Some(waits) = waiting else {
                return Poll::Pending;
            };
            let admitted = ready!(waits.admit.poll_admit(&mut waits.request, cx));
            let Some(waits) = waiting.take() else {
                return Poll::Pending;
            };
            let Waiting {
                mut service, request, ..
            } = *waits;
            let future = match admitted {
                Ok(respond) => WatchFuture::calling(service.call(request), respond),
                Err(error) => WatchFuture::refused(error),
            };
            state.set(State::Admitted(future));
        }
        match state.project() {
            StateProjection::Admitted(future) => future.poll(cx),
            StateProjection::Waiting(_) => Poll::Pending,
        }
    }
}
