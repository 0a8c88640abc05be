//! The service of the deadline over a whole call.

use std::time::Duration;

use http::{HeaderName, Request, Response};
use tokio::time::Instant;
use tower_service::Service;

use super::{
    DeadlineBody, DeadlineFuture,
    future::{Beginning, elapsed},
    limits::{Limits, Own},
};
use crate::{
    Failure, LayerError, LlmRequest,
    util::{inner_accessors, ready_as_inner},
};

/// The service of [`DeadlineLayer`](super::DeadlineLayer).
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    pub(super) inner: S,
    pub(super) own: Own,
    pub(super) header: Option<HeaderName>,
    pub(super) max_pause: Option<Duration>,
}

impl<S> Deadline<S> {
    inner_accessors!();

    /// The layer's own limit of the whole call.
    pub const fn total(&self) -> Option<Duration> {
        match self.own {
            Own::Whole(limit) => Some(limit),
            Own::None | Own::Beginning(_) => None,
        }
    }

    /// The header in which a caller may say how much time is left.
    pub const fn header(&self) -> Option<&HeaderName> {
        self.header.as_ref()
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

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let _still = crate::util::still();
        let limits = Limits::of(self.own, self.header.as_ref(), &request);
        let call = request.body_mut().call_mut();
        let idle = call.timeouts().idle.unwrap_or_default();
        let now = crate::util::now();
        let opened = call.open_at(|| now);
        match limits {
            Ok(limits) => {
                limits.set(call, now);
                let clock = |at: Option<Instant>| at.map(|at| (at, at.saturating_duration_since(now)));
                let (begins, ends) = (clock(call.first_token_deadline()), clock(call.deadline()));
                match begins {
                    // Nothing is sent if no time is left for an answer.
                    Some((_, left)) if left.is_zero() => DeadlineFuture::refused(elapsed(left), opened),
                    _ => {
                        let begins = begins.map(|(at, limit)| Beginning {
                            at,
                            limit,
                            max_pause: self.max_pause.map(|pause| pause.max(idle)),
                        });
                        DeadlineFuture::started(self.inner.call(request), (begins, ends), opened)
                    }
                }
            }
            Err(error) => DeadlineFuture::refused(error.into(), opened),
        }
    }
}
