//! The service that lets a call pass, wait, or move on.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tower_service::Service;

use super::{
    PauseFuture, Pauses,
    future::{PauseObservation, PauseWait},
    ticket::Ticket,
};
use crate::{Failure, LayerError, LlmRequest, util::inner_accessors};

/// The service of [`PauseLayer`](super::PauseLayer).
#[derive(Debug, Clone)]
pub struct Pause<S> {
    pub(super) inner: S,
    pub(super) pauses: Pauses,
    pub(super) max_wait: Duration,
}

impl<S> Pause<S> {
    inner_accessors!();

    /// What is remembered.
    pub const fn pauses(&self) -> &Pauses {
        &self.pauses
    }
}

impl<S, R, B> Service<Request<R>> for Pause<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = PauseFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        match Ticket::take(&self.pauses, request.body()) {
            Ok(ticket) => PauseFuture::calling(self.inner.call(request), PauseObservation(ticket)),
            Err(held) => {
                let waiting = PauseWait::new(self.pauses.clone(), held, self.max_wait);
                PauseFuture::waiting(&mut self.inner, request, waiting)
            }
        }
    }
}
