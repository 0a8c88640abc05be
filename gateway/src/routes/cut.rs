//! Calls that outlast a shutdown: each ends with the error of its API, so that no client takes a part of an answer for all of it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project::pin_project;
use tower_openrouter::{ApiRequest, Error, FailureKind};
use tower_service::Service;

use crate::server::{Reached, Stage, Stages};

/// The stack whose calls end with an error when the shutdown cuts them. It stands below the endpoints: they write the error.
///
/// # Errors
///
/// 503 if no answer has begun; else the answer is interrupted.
///
/// # Cancellation
///
/// That of the stack.
#[derive(Debug, Clone)]
pub(super) struct CutShort<S> {
    inner: S,
    stages: Stages,
}

impl<S> CutShort<S> {
    /// This stack, by these stages.
    pub(super) const fn new(inner: S, stages: Stages) -> Self {
        Self { inner, stages }
    }
}

impl<S, B> Service<Request<ApiRequest>> for CutShort<S>
where
    S: Service<Request<ApiRequest>, Response = Response<B>, Error = Error>,
{
    type Response = Response<CutShortBody<B>>;
    type Error = Error;
    type Future = CutShortFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        CutShortFuture {
            inner: Some(self.inner.call(request)),
            end: Some(self.stages.reached(Stage::Cut)),
        }
    }
}

/// Whether calls are cut.
fn is_cut(end: &mut Option<Reached>, cx: &mut Context<'_>) -> bool {
    let is_cut = end.as_mut().is_some_and(|end| Pin::new(end).poll(cx).is_ready());
    if is_cut {
        *end = None;
    }
    is_cut
}

/// The future of [`CutShort`].
#[pin_project]
pub(super) struct CutShortFuture<F> {
    /// There until it has ended.
    #[pin]
    inner: Option<F>,
    end: Option<Reached>,
}

impl<F, B> Future for CutShortFuture<F>
where
    F: Future<Output = Result<Response<B>, Error>>,
{
    type Output = Result<Response<CutShortBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        if let Poll::Ready(result) = inner.poll(cx) {
            this.inner.set(None);
            let end = this.end.take();
            return Poll::Ready(result.map(|response| {
                response.map(|inner| CutShortBody {
                    inner: Some(inner),
                    end,
                })
            }));
        }
        if !is_cut(this.end, cx) {
            return Poll::Pending;
        }
        // Its attempts are settled before the error is returned.
        this.inner.set(None);
        let message = "the gateway shuts down, and no answer had begun: send the call again";
        Poll::Ready(Err(Error::new(FailureKind::Overloaded, message)))
    }
}

/// The body of [`CutShort`].
#[pin_project]
pub(super) struct CutShortBody<B> {
    /// There until it has ended.
    #[pin]
    inner: Option<B>,
    end: Option<Reached>,
}

impl<B: Body<Error = Error>> Body for CutShortBody<B> {
    type Data = B::Data;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let frame = inner.poll_frame(cx);
        if frame.is_ready() || !is_cut(this.end, cx) {
            return frame;
        }
        this.inner.set(None);
        let message = "the gateway shuts down: the answer was interrupted";
        Poll::Ready(Some(Err(Error::new(FailureKind::Truncated, message))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}
