//! A service whose type does not show: what a stack is inside, and what stands below a user's own layer.

use std::{
    any::{Any, TypeId},
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame};
use pin_project::pin_project;
use sync_wrapper::SyncWrapper;
use tower_service::Service;

use crate::{ChatFrame, Error};

/// Any service over these requests, frames and errors; `Clone + Send + Sync`.
///
/// A clone costs a reference count: it copies the service when it is first made ready. So a clone is never ready, whatever its original is.
/// A call puts the service's future on the heap, and its response's body.
///
/// # Cancellation
///
/// Dropping the future or the body drops the service's own.
pub struct ErasedService<R, F, E> {
    /// What instances are copied from.
    template: Arc<dyn Template<R, F, E>>,
    /// The copy that is or becomes ready for the next call.
    next: Option<Box<dyn Instance<R, F, E>>>,
}

trait Template<R, F, E>: Send + Sync {
    fn instance(&self) -> Box<dyn Instance<R, F, E>>;
}

trait Instance<R, F, E>: Send + Sync {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>>;

    fn start(self: Box<Self>, request: Request<R>) -> StackFuture<F, E>;
}

/// One call: the service that takes it, and the future that it gives, in one allocation.
#[pin_project]
struct Exchange<S, G> {
    service: S,
    #[pin]
    future: SyncWrapper<Option<G>>,
}

impl<R, F, E> ErasedService<R, F, E>
where
    R: 'static,
    F: 'static,
    E: 'static,
{
    /// Erases the type of a service.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        Self {
            template: Arc::new(service),
            next: None,
        }
    }
}

impl<S, R, B, F, E> Template<R, F, E> for S
where
    S: Service<Request<R>, Response = Response<B>, Error = E> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = F, Error = E> + Send + 'static,
    F: 'static,
    E: 'static,
{
    fn instance(&self) -> Box<dyn Instance<R, F, E>> {
        Box::new(Exchange {
            service: self.clone(),
            future: SyncWrapper::new(None::<S::Future>),
        })
    }
}

impl<S, R, B, F, E> Instance<R, F, E> for Exchange<S, S::Future>
where
    S: Service<Request<R>, Response = Response<B>, Error = E> + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = F, Error = E> + Send + 'static,
    F: 'static,
    E: 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        self.service.poll_ready(cx)
    }

    fn start(self: Box<Self>, request: Request<R>) -> StackFuture<F, E> {
        let mut exchange = Box::into_pin(self);
        let this = exchange.as_mut().project();
        let future = this.service.call(request);
        this.future.get_pin_mut().set(Some(future));
        StackFuture(exchange)
    }
}

impl<S, G, B> Future for Exchange<S, G>
where
    G: Future<Output = Result<Response<B>, B::Error>>,
    B: Body<Data: 'static, Error: 'static> + Send + 'static,
{
    type Output = Result<Response<StackBody<B::Data, B::Error>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut future = self.project().future.get_pin_mut();
        let Some(running) = future.as_mut().as_pin_mut() else {
            // Polled again after it was ready: stay silent rather than panic.
            return Poll::Pending;
        };
        let result = ready!(running.poll(cx));
        future.set(None);
        Poll::Ready(result.map(|response| response.map(StackBody::new)))
    }
}

impl<R, F, E> Clone for ErasedService<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            template: Arc::clone(&self.template),
            next: None,
        }
    }
}

impl<R, F, E> fmt::Debug for ErasedService<R, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasedService").finish_non_exhaustive()
    }
}

impl<R, F, E> Service<Request<R>> for ErasedService<R, F, E> {
    type Response = Response<StackBody<F, E>>;
    type Error = E;
    type Future = StackFuture<F, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let template = &self.template;
        self.next.get_or_insert_with(|| template.instance()).poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let next = self.next.take().unwrap_or_else(|| self.template.instance());
        next.start(request)
    }
}

/// The future of a [`Stack`](super::Stack): resolves when the answer has begun.
pub struct StackFuture<F = ChatFrame, E = Error>(Pin<Box<dyn Running<F, E>>>);

/// What a [`StackFuture`] holds.
type Output<F, E> = Result<Response<StackBody<F, E>>, E>;

trait Running<F, E>: Future<Output = Output<F, E>> + Send {}

impl<T, F, E> Running<F, E> for T where T: Future<Output = Output<F, E>> + Send {}

impl<F, E> Future for StackFuture<F, E> {
    type Output = Output<F, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<F, E> fmt::Debug for StackFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackFuture").finish_non_exhaustive()
    }
}

/// The body of a [`Stack`](super::Stack)'s answers: a frame for each piece. `Send + Sync`, and never empty in a good answer.
pub struct StackBody<F = ChatFrame, E = Error> {
    inner: SyncWrapper<Pin<Box<dyn Body<Data = F, Error = E> + Send>>>,
    /// Whether the body inside has said that it is at its end.
    is_ended: bool,
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
                None => Self::erased(Unerased(body)),
            };
        }
        Self::erased(body)
    }

    fn erased<B>(body: B) -> Self
    where
        B: Body<Data = F, Error = E> + Send + 'static,
    {
        let is_ended = body.is_end_stream();
        Self {
            inner: SyncWrapper::new(Box::pin(body)),
            is_ended,
        }
    }
}

/// A body that was looked at through `Any`.
#[pin_project]
struct Unerased<B>(#[pin] Option<B>);

impl<B: Body> Body for Unerased<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().0.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }
}

impl<F: bytes::Buf, E> Body for StackBody<F, E> {
    type Data = F;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<F>, E>>> {
        let this = &mut *self;
        let body = this.inner.get_mut();
        let frame = ready!(body.as_mut().poll_frame(cx));
        this.is_ended = body.is_end_stream();
        Poll::Ready(frame)
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
