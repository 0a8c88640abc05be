//! The service that sends events of each call.

use http::{Request, Response};
use tower_service::Service;

use super::{EventSender, EventsBody, EventsFuture, scope::EventScope};
use crate::util::{inner_accessors, ready_as_inner};

/// The service of [`EventsLayer`](super::EventsLayer).
#[derive(Debug, Clone)]
pub struct Events<S> {
    pub(super) inner: S,
    pub(super) sender: EventSender,
}

impl<S> Events<S> {
    inner_accessors!();
}

impl<S, R, B> Service<Request<R>> for Events<S>
where
    S: Service<Request<R>, Response = Response<B>>,
{
    type Response = Response<EventsBody<B>>;
    type Error = S::Error;
    type Future = EventsFuture<S::Future>;

    ready_as_inner!();

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let scope = EventScope::new(&self.sender);
        let future = {
            let _inside = scope.enter();
            self.inner.call(request)
        };
        EventsFuture::new(future, scope)
    }
}
