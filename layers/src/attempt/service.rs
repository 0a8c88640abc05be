use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::{AttemptBody, AttemptFuture};
use crate::{Candidate, Failure, LayerError, LlmRequest, macros::inner_accessors};

/// The service of [`AttemptLayer`](super::AttemptLayer).
#[derive(Debug, Clone)]
pub struct AttemptService<S> {
    pub(super) inner: S,
    pub(super) cap: u32,
}

impl<S> AttemptService<S> {
    inner_accessors!();

    /// The most attempts one call may make.
    pub const fn cap(&self) -> u32 {
        self.cap
    }
}

impl<S, R, B> Service<Request<R>> for AttemptService<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
{
    type Response = Response<AttemptBody<B>>;
    type Error = S::Error;
    type Future = AttemptFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let opened = request.body_mut().call_mut().open();
        let body = request.body();
        match body.call().claim(body.model(), self.cap) {
            Ok(claim) => {
                let candidate = body.call().candidate();
                tracing::debug!(
                    attempt = claim.number,
                    upstream = candidate.map(Candidate::upstream),
                    model = candidate.map_or(body.model(), |candidate| Some(candidate.model())),
                    stream = body.is_streaming(),
                    "attempt started"
                );
                AttemptFuture::started(self.inner.call(request), claim, opened)
            }
            Err(spent) => AttemptFuture::refused(spent.into(), opened),
        }
    }
}
