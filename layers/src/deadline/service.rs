use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, Request, Response};
use tower_service::Service;

use super::{DeadlineBody, DeadlineFuture, future::elapsed, header};
use crate::{Failure, LayerError, LlmRequest, util::inner_accessors};

/// The service of [`DeadlineLayer`](super::DeadlineLayer).
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    pub(super) inner: S,
    pub(super) total: Option<Duration>,
    pub(super) header: Option<HeaderName>,
}

impl<S> Deadline<S> {
    inner_accessors!();

    /// The layer's own limit.
    pub const fn total(&self) -> Option<Duration> {
        self.total
    }

    /// The header in which a caller may say how much time is left.
    pub const fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
    }

    fn limit<R>(&self, request: &Request<R>) -> Result<Option<Duration>, LayerError> {
        header::limit(self.total, self.header.as_ref(), request)
    }
}

impl<S, R, B> Service<Request<R>> for Deadline<S>
where
    S: Service<Request<R>, Response = Response<B>>,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
    B: http_body::Body<Error = S::Error>,
{
    type Response = Response<DeadlineBody<B>>;
    type Error = S::Error;
    type Future = DeadlineFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let _still = crate::util::still();
        let limit = self.limit(&request);
        let call = request.body_mut().call_mut();
        let now = crate::util::now();
        let opened = call.open_at(|| now);
        match limit {
            Ok(limit) => {
                if let Some(deadline) = limit.and_then(|limit| now.checked_add(limit)) {
                    call.limit_deadline(deadline);
                }
                let clock = call
                    .deadline()
                    .map(|deadline| (deadline, deadline.saturating_duration_since(now)));
                match clock {
                    // Nothing is sent if no time is left for an answer.
                    Some((_, left)) if left.is_zero() => DeadlineFuture::refused(elapsed(left), opened),
                    _ => DeadlineFuture::started(self.inner.call(request), clock, opened),
                }
            }
            Err(error) => DeadlineFuture::refused(error.into(), opened),
        }
    }
}
