//! The future that sends events of each call.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project::{pin_project, pinned_drop};

use super::{EventKind, EventsBody, scope::EventScope};
use crate::{Degraded, Resumed};

/// The future of [`Events`](super::Events).
#[pin_project(PinnedDrop)]
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct EventsFuture<F> {
    /// There until it has ended.
    #[pin]
    inner: Option<F>,
    scope: EventScope,
}

impl<F> EventsFuture<F> {
    pub(super) const fn new(inner: F, scope: EventScope) -> Self {
        Self {
            inner: Some(inner),
            scope,
        }
    }
}

impl<F, B, E> Future for EventsFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<EventsBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _inside = this.scope.enter();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(inner.poll(cx));
        this.inner.set(None);
        Poll::Ready(result.map(|response| {
            let extensions = response.extensions();
            let mark = extensions.get::<Degraded>();
            if let Some(mark) = mark {
                this.scope.send(|| EventKind::Degraded(Box::new(mark.clone())));
            }
            // A cheaper model may continue it.
            let resumed = extensions.get::<Resumed>().filter(|_| mark.is_none()).cloned();
            let scope = this.scope.clone();
            response.map(|body| EventsBody::new(body, scope, resumed))
        }))
    }
}

/// What is inside ends within the scope.
#[pinned_drop]
impl<F> PinnedDrop for EventsFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.scope.enter();
        this.inner.set(None);
    }
}
