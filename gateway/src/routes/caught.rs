//! A response's body whose panic ends its own stream alone, and not the connection with the others in it. It runs in the span of its request.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tracing::Span;

/// A body that ends with an error if it panics: over HTTP/2 its stream is reset, over HTTP/1 its connection is closed before the end of the body.
struct CaughtBody {
    /// There until it panics.
    inner: Option<Body>,
    path: Box<str>,
    span: Span,
}

/// The body of a response to a request for this path, with its panics caught, in the span of the request.
pub(super) fn caught(inner: Body, path: &str, span: &Span) -> Body {
    if inner.is_end_stream() {
        return inner;
    }
    Body::new(CaughtBody {
        inner: Some(inner),
        path: path.into(),
        span: span.clone(),
    })
}

/// Drops what has panicked, which may panic again.
pub(super) fn quietly(end: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(end)));
}

impl HttpBody for CaughtBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        let _inside = this.span.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx)));
        polled.unwrap_or_else(|_| {
            // The panic hook has logged where.
            tracing::error!(target: "gateway", path = &*this.path, "a response panicked");
            let inner = this.inner.take();
            quietly(|| drop(inner));
            let message = "the gateway failed: this is a defect of its own";
            Poll::Ready(Some(Err(axum::Error::new(message))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// What ends with it, such as a call whose client has left, is logged in the span of its request.
impl Drop for CaughtBody {
    fn drop(&mut self) {
        let _inside = self.span.enter();
        drop(self.inner.take());
    }
}
