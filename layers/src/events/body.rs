//! The body that sends events of each call.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use super::{EventKind, scope::EventScope};
use crate::Resumed;

/// The body of [`Events`](super::Events).
#[pin_project(PinnedDrop)]
#[derive(Debug)]
pub struct EventsBody<B> {
    /// There until it is dropped.
    #[pin]
    inner: Option<B>,
    scope: EventScope,
    /// The places where the answer was resumed, until one is degraded.
    resumed: Option<Resumed>,
}

impl<B> EventsBody<B> {
    pub(super) const fn new(inner: B, scope: EventScope, resumed: Option<Resumed>) -> Self {
        Self {
            inner: Some(inner),
            scope,
            resumed,
        }
    }
}

impl<B: Body> Body for EventsBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let _inside = this.scope.enter();
        let Some(inner) = this.inner.as_pin_mut() else {
            return Poll::Ready(None);
        };
        let polled = inner.poll_frame(cx);
        if let Some(mark) = this.resumed.as_ref().and_then(Resumed::degraded) {
            *this.resumed = None;
            this.scope.send(|| EventKind::Degraded(Box::new(mark)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

/// What is inside ends within the scope.
#[pinned_drop]
impl<B> PinnedDrop for EventsBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _inside = this.scope.enter();
        this.inner.set(None);
    }
}
