//! The service that makes each exchange an attempt, with a number and a cap.

use http::{Request, Response};
use tower_service::Service;

use super::{AttemptBody, AttemptFuture, continued::Continuing, guard::AttemptGuard, watch::AttemptStart};
use crate::{
    Failure, Frame, LayerError, LlmRequest,
    protocol::candidate_of,
    util::{inner_accessors, ready_as_inner, still},
    watch::{InSpan, WatchFuture},
};

/// The service of [`AttemptLayer`](super::AttemptLayer).
#[derive(Debug, Clone)]
pub struct AttemptService<S> {
    pub(super) inner: S,
    pub(super) cap: u32,
    pub(super) router_attempts: bool,
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
    B::Data: Frame,
{
    type Response = Response<AttemptBody<B>>;
    type Error = S::Error;
    type Future = AttemptFuture<S::Future, S::Error>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        let _still = still();
        let opened = request.body_mut().call_mut().open();
        let candidate = candidate_of(request.body());
        let continuing = Continuing::prepare(request.body_mut(), candidate.as_ref());
        let begun = continuing.and_then(|continuing| {
            let (line, started) = request.body_mut().call_mut().begin_attempt(candidate, self.cap)?;
            Ok((AttemptGuard::new(line, started), continuing))
        });
        let (guard, continuing) = match begun {
            Ok(begun) => begun,
            Err(refused) => {
                let mut error = S::Error::from(refused);
                if let Some(log) = opened {
                    error.marks_mut().attach(log);
                }
                return WatchFuture::refused(error);
            }
        };
        let start = AttemptStart::begin(guard, request.body(), opened, continuing).reading_router(self.router_attempts);
        let future = {
            let _inside = start.enter();
            start.log_start(request.body());
            self.inner.call(request)
        };
        WatchFuture::calling(future, start)
    }
}
