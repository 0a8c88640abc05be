use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_llm_layers::LlmRequest;
use tower_service::Service;

use super::{GatherBody, GatherFuture, GatherLayer};
use crate::{ChatFrame, Error};

/// The service of [`GatherLayer`].
#[derive(Debug, Clone)]
pub struct Gather<S> {
    pub(super) inner: S,
    pub(super) layer: GatherLayer,
}

impl<S> Gather<S> {
    /// The wrapped service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The wrapped service, to be changed.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the wrapped service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, R, B> Service<Request<R>> for Gather<S>
where
    S: Service<Request<R>, Response = Response<B>, Error = Error> + Clone,
    R: LlmRequest,
    B: Body<Data = ChatFrame, Error = Error>,
{
    type Response = Response<GatherBody<B>>;
    type Error = Error;
    type Future = GatherFuture<S, R, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let streamed = self
            .layer
            .gathers(request.extensions())
            .then(|| request.body().as_stream());
        let Some(streamed) = streamed.flatten() else {
            return GatherFuture::passed(self.inner.call(request));
        };
        let request = request.map(|_| streamed);
        let service = self.inner.clone(); // house-ok: made ready before it is called
        let again = request.clone();
        GatherFuture::gathering(self.inner.call(request), service, again)
    }
}
