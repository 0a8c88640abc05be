//! The service that lets a call pass, wait, or move on.

use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use tower_service::Service;

use super::{PauseFuture, Pauses, pauses::Reach, ticket::Ticket, verdict::Held};
use crate::{Failure, LayerError, LlmRequest, protocol::with_candidate, util::inner_accessors};

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

/// Lets the call pass, or says what is in its way; `Ok(None)` if it names no model.
pub(super) fn admit<R: LlmRequest>(pauses: &Pauses, request: &R) -> Result<Option<Ticket>, Held> {
    let ticket = with_candidate(request, |candidate| {
        let reach = Reach::new(candidate, request.pinned_route(), request.call().account());
        Some(pauses.admit(candidate, reach))
    });
    ticket.transpose()
}

impl<S, R, B> Service<Request<R>> for Pause<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    S::Error: Failure + From<LayerError>,
    R: LlmRequest,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = PauseFuture<S, Request<R>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let held = match admit(&self.pauses, request.body()) {
            Ok(ticket) => return PauseFuture::passed(self.inner.call(request), ticket),
            Err(held) => held,
        };
        // The service that is ready waits with the request; its clone stays here.
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        PauseFuture::held(ready, request, self.pauses.clone(), held, self.max_wait)
    }
}
