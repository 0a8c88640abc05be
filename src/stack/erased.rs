//! A service whose type does not show: what a stack is inside, and what stands below a user's own layer.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{StackBody, StackFuture};

/// Any service over these requests, frames and errors; `Clone + Send + Sync`.
///
/// A clone costs a reference count: it copies the service when it is first made ready. So a clone is never ready, whatever its original is.
/// A call puts the service's future on the heap; its response's body takes the future's place there.
///
/// # Cancellation
///
/// Dropping the future or the body drops the service's own.
pub struct ErasedService<R, F, E> {
    /// What instances are copied from.
    template: Arc<dyn Template<R, F, E>>,
    /// The copy that is or becomes ready for the next call.
    instance: Option<Box<dyn Instance<R, F, E>>>,
}

trait Template<R, F, E>: Send + Sync {
    fn instance(&self) -> Box<dyn Instance<R, F, E>>;
}

trait Instance<R, F, E>: Send + Sync {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>>;

    fn call(&mut self, request: Request<R>) -> StackFuture<F, E>;
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
            instance: None,
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
        Box::new(self.clone())
    }
}

impl<S, R, B, F, E> Instance<R, F, E> for S
where
    S: Service<Request<R>, Response = Response<B>, Error = E> + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: Body<Data = F, Error = E> + Send + 'static,
    F: 'static,
    E: 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Service::poll_ready(self, cx)
    }

    fn call(&mut self, request: Request<R>) -> StackFuture<F, E> {
        StackFuture::new(Service::call(self, request))
    }
}

impl<R, F, E> Clone for ErasedService<R, F, E> {
    fn clone(&self) -> Self {
        Self {
            template: Arc::clone(&self.template),
            instance: None,
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
        self.instance.get_or_insert_with(|| template.instance()).poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let template = &self.template;
        self.instance.get_or_insert_with(|| template.instance()).call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        future::{Future, Ready, ready},
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::Waker,
    };

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};

    use super::*;

    /// Counts how often it is copied.
    #[derive(Default)]
    struct Counted(Arc<AtomicUsize>);

    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }

    impl Service<Request<()>> for Counted {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            ready(Ok(Response::new(Full::from("answer"))))
        }
    }

    async fn whole(service: &mut ErasedService<(), Bytes, Infallible>) -> Bytes {
        std::future::poll_fn(|cx| Service::poll_ready(service, cx))
            .await
            .unwrap();
        let response = Service::call(service, Request::new(())).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_service_is_copied_once_for_each_clone_that_is_called() {
        let copies = Arc::new(AtomicUsize::new(0));
        let mut service = ErasedService::new(Counted(Arc::clone(&copies)));
        let (mut called, uncalled) = (service.clone(), service.clone());
        for _ in 0..3 {
            assert_eq!(whole(&mut service).await, "answer");
        }
        assert_eq!(copies.load(Ordering::Relaxed), 1);
        assert_eq!(whole(&mut called).await, "answer");
        assert_eq!(copies.load(Ordering::Relaxed), 2);
        drop(uncalled);
    }

    #[test]
    fn a_future_that_was_ready_is_silent() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut service = ErasedService::new(Counted::default());
        let mut future = pin!(Service::call(&mut service, Request::new(())));
        let response = future.as_mut().poll(&mut cx);
        let Poll::Ready(Ok(response)) = response else {
            unreachable!("it is ready")
        };
        assert!(future.as_mut().poll(&mut cx).is_pending());
        // One that is erased already stays as it is, and is read to its end.
        let mut body = pin!(StackBody::new(response.into_body()));
        assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(Some(Ok(_)))));
        assert!(body.is_end_stream());
        assert!(matches!(body.as_mut().poll_frame(&mut cx), Poll::Ready(None)));
    }
}
