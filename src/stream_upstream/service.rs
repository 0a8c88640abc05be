//! The service: asks for a stream in place of a plain answer.

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_llm_layers::{LlmRequest, conformance::BufferedStream};
use tower_service::Service;

use super::{StreamUpstreamBody, StreamUpstreamFuture, StreamUpstreamLayer};
use crate::{ChatFrame, Error};

/// The service of [`StreamUpstreamLayer`].
#[derive(Debug, Clone)]
pub struct StreamUpstream<S> {
    pub(super) inner: S,
    pub(super) layer: StreamUpstreamLayer,
}

impl<S> StreamUpstream<S> {
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

impl<S, R, B> Service<Request<R>> for StreamUpstream<S>
where
    S: Service<Request<R>, Response = Response<B>, Error = Error> + Clone,
    R: LlmRequest,
    B: Body<Data = ChatFrame, Error = Error>,
{
    type Response = Response<StreamUpstreamBody<B>>;
    type Error = Error;
    type Future = StreamUpstreamFuture<S, R, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let streamed = self
            .layer
            .gathers(request.extensions())
            .then(|| request.body().as_stream());
        let Some(streamed) = streamed.flatten() else {
            return StreamUpstreamFuture::passed(self.inner.call(request));
        };
        let mut request = request.map(|_| streamed);
        request.extensions_mut().insert(BufferedStream);
        let service = self.inner.clone(); // house-ok: made ready before it is called
        let again = request.clone();
        StreamUpstreamFuture::gathering(self.inner.call(request), service, again)
    }
}
