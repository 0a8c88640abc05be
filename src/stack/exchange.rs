//! One call of an erased service: its future, and its response's body in the same place.

use std::{
    any::{Any, TypeId},
    fmt, future,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::{Body, Frame};
use pin_project::pin_project;
use sync_wrapper::SyncWrapper;

use crate::{ChatFrame, Error};

/// The future of a [`Stack`](super::Stack): resolves when the answer has begun.
#[must_use = "futures do nothing unless polled"]
pub struct StackFuture<F = ChatFrame, E = Error>(Option<Pin<Box<dyn Exchange<F, E>>>>);

/// The body of a [`Stack`](super::Stack)'s answers: a frame for each piece. `Send + Sync`, and never empty in a good answer.
pub struct StackBody<F = ChatFrame, E = Error> {
    inner: SyncWrapper<Pin<Box<dyn Frames<F, E>>>>,
    /// Whether the body inside has said that it is at its end.
    is_ended: bool,
}

/// The head of a response. Its body stays inside, unless its type is erased already.
type Head<F, E> = Result<Response<Option<StackBody<F, E>>>, E>;

/// An exchange whose answer has not begun.
trait Exchange<F, E>: Frames<F, E> {
    fn poll_head(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Head<F, E>>;
}

/// An answer that has begun.
trait Frames<F, E>: Send {
    /// The next frame; `is_ended` says then whether it was the last.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>, is_ended: &mut bool) -> Poll<Option<Result<Frame<F>, E>>>;

    fn is_ended(&self) -> bool;
}

/// A future, and then the body that it gave: one allocation serves both.
#[pin_project(project = FutureOrBodyProjection)]
enum FutureOrBody<G, B> {
    Calling(#[pin] G),
    Answering(#[pin] B),
    Ended,
}

impl<F: 'static, E: 'static> StackFuture<F, E> {
    /// Erases the type of a future, and that of its response's body.
    #[inline(always)] // so that the future goes to its place at once
    pub(super) fn new<G, B>(future: G) -> Self
    where
        G: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        Self(Some(Box::pin(FutureOrBody::Calling(future))))
    }
}

impl<G, B, F, E> Exchange<F, E> for FutureOrBody<G, B>
where
    G: Future<Output = Result<Response<B>, E>> + Send,
    B: Body<Data = F, Error = E> + Send + 'static,
    F: 'static,
    E: 'static,
{
    fn poll_head(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Head<F, E>> {
        let FutureOrBodyProjection::Calling(future) = self.as_mut().project() else {
            return Poll::Pending;
        };
        match ready!(future.poll(cx)) {
            Ok(response) => {
                let (head, body) = response.into_parts();
                // Compared before anything is moved: a body is large, and mostly another one.
                let erased = if TypeId::of::<B>() == TypeId::of::<StackBody<F, E>>() {
                    self.set(Self::Ended);
                    Some(StackBody::new(body))
                } else {
                    self.set(Self::Answering(body));
                    None
                };
                Poll::Ready(Ok(Response::from_parts(head, erased)))
            }
            Err(error) => {
                self.set(Self::Ended);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<G, B> Frames<B::Data, B::Error> for FutureOrBody<G, B>
where
    G: Send,
    B: Body + Send,
{
    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        is_ended: &mut bool,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let FutureOrBodyProjection::Answering(mut body) = self.project() else {
            *is_ended = true;
            return Poll::Ready(None);
        };
        let frame = ready!(body.as_mut().poll_frame(cx));
        *is_ended = body.is_end_stream();
        Poll::Ready(frame)
    }

    fn is_ended(&self) -> bool {
        match self {
            Self::Answering(body) => body.is_end_stream(),
            Self::Calling(_) | Self::Ended => true,
        }
    }
}

impl<F, E> Future for StackFuture<F, E> {
    type Output = Result<Response<StackBody<F, E>>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(exchange) = &mut self.0 else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let head = ready!(exchange.as_mut().poll_head(cx));
        let Some(exchange) = self.0.take() else {
            return Poll::Pending;
        };
        Poll::Ready(head.map(|response| response.map(|erased| erased.unwrap_or_else(|| StackBody::of(exchange)))))
    }
}

impl<F, E> fmt::Debug for StackFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackFuture").finish_non_exhaustive()
    }
}

impl<F: 'static, E: 'static> StackBody<F, E> {
    /// Erases the type of a body. One that is a `StackBody` already stays as it is.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        // Compared before anything is moved: a body is large, and mostly another one.
        if TypeId::of::<B>() == TypeId::of::<Self>() {
            let mut body = Some(body);
            let erased: Option<&mut Option<Self>> = (&mut body as &mut dyn Any).downcast_mut();
            return match erased.and_then(Option::take) {
                Some(same) => same,
                None => Self::of(Box::pin(of_body(body))),
            };
        }
        Self::of(Box::pin(of_body(Some(body))))
    }
}

impl<F, E> StackBody<F, E> {
    fn of(inner: Pin<Box<dyn Frames<F, E>>>) -> Self {
        let is_ended = inner.is_ended();
        Self {
            inner: SyncWrapper::new(inner),
            is_ended,
        }
    }
}

/// A body that no future of its own gave.
fn of_body<B: Body>(body: Option<B>) -> FutureOrBody<future::Pending<()>, B> {
    body.map_or(FutureOrBody::Ended, FutureOrBody::Answering)
}

impl<F: bytes::Buf, E> Body for StackBody<F, E> {
    type Data = F;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<F>, E>>> {
        let this = &mut *self;
        this.inner.get_mut().as_mut().poll_next(cx, &mut this.is_ended)
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended
    }
}

impl<F, E> fmt::Debug for StackBody<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackBody").finish_non_exhaustive()
    }
}
