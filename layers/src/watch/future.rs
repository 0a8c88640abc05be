//! A future that refuses, or maps what an exchange gives.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project::{pin_project, pinned_drop};

use super::body::InSpan;
use crate::util::still;

/// What becomes of the result of an exchange.
pub trait Respond<T, E>: InSpan {
    /// The response that the layer gives.
    type Response;

    /// The exchange is about to be polled: before each poll.
    fn polled(&mut self) {}

    /// Called once, with what the service below gave. A future that is dropped before that drops this after what is inside.
    #[expect(clippy::missing_errors_doc, reason = "the errors of the service below")]
    fn respond(self, result: Result<T, E>) -> Result<Self::Response, E>;
}

/// Maps nothing: for a layer that only refuses.
#[derive(Debug, Clone, Copy)]
pub struct Pass;

impl InSpan for Pass {}

impl<T, E> Respond<T, E> for Pass {
    type Response = T;

    #[inline]
    fn respond(self, result: Result<T, E>) -> Result<T, E> {
        result
    }
}

/// Polls the service below and maps its result, or refuses at once.
#[pin_project(PinnedDrop)]
#[must_use = "futures do nothing unless polled"]
pub struct WatchFuture<F, E, W: InSpan> {
    #[pin]
    state: State<F, E>,
    respond: Option<W>,
}

#[pin_project(project = StateProjection)]
enum State<F, E> {
    Calling(#[pin] F),
    Refused(Option<E>),
    Ended,
}

impl<F, E, W: InSpan> WatchFuture<F, E, W> {
    /// Polls this future and maps its result.
    #[inline]
    pub const fn calling(future: F, respond: W) -> Self {
        Self {
            state: State::Calling(future),
            respond: Some(respond),
        }
    }

    /// Fails at once, without an exchange.
    pub const fn refused(error: E) -> Self {
        Self {
            state: State::Refused(Some(error)),
            respond: None,
        }
    }
}

impl<F, E, W: InSpan> fmt::Debug for WatchFuture<F, E, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchFuture").finish_non_exhaustive()
    }
}

impl<F, T, E, W> Future for WatchFuture<F, E, W>
where
    F: Future<Output = Result<T, E>>,
    W: Respond<T, E>,
{
    type Output = Result<W::Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _still = still();
        let mut this = self.project();
        match this.state.as_mut().project() {
            StateProjection::Calling(future) => {
                if let Some(respond) = this.respond.as_mut() {
                    respond.polled();
                }
                let inside = this.respond.as_ref().and_then(InSpan::enter);
                let result = ready!(future.poll(cx));
                this.state.set(State::Ended);
                drop(inside);
                let respond = this.respond.take();
                respond.map_or(Poll::Pending, |respond| Poll::Ready(respond.respond(result)))
            }
            StateProjection::Refused(error) => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
            // Polled again after it was ready: stay silent rather than panic.
            StateProjection::Ended => Poll::Pending,
        }
    }
}

/// What is inside ends first, within its span.
#[pinned_drop]
impl<F, E, W: InSpan> PinnedDrop for WatchFuture<F, E, W> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.respond.as_ref().and_then(InSpan::enter);
        this.state.set(State::Ended);
    }
}
