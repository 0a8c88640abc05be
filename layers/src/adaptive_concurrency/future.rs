//! An attempt that waits for its place, and what its gate learns of how it began.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use tokio::{sync::oneshot, time::Instant};

use super::{
    AdaptiveConcurrencyBody,
    gate::{Permit, Turn},
    is_overload,
    watch::PermitWatch,
};
use crate::{
    Failure, LayerError,
    call::FirstTokenTimer,
    metering,
    watch::{Admit, InSpan, Respond, WatchBody},
};

/// An attempt that waits for its place.
#[derive(Debug)]
pub struct ConcurrencyWait {
    pub(super) turn: oneshot::Receiver<Turn>,
    pub(super) since: Instant,
    pub(super) timer: Option<FirstTokenTimer>,
}

impl<R, E: From<LayerError>> Admit<R, E> for ConcurrencyWait {
    type Respond = ConcurrencyGuard;

    fn poll_admit(&mut self, _: &mut Request<R>, cx: &mut Context<'_>) -> Poll<Result<ConcurrencyGuard, E>> {
        let turn = ready!(Pin::new(&mut self.turn).poll(cx));
        metering::waited("adaptive_concurrency", self.since.elapsed());
        // The gate lives as long as a call waits at it: without it nothing is limited.
        Poll::Ready(match turn.ok().transpose() {
            Ok(permit) => Ok(ConcurrencyGuard {
                permit: permit.map(Permit::begun),
                timer: self.timer.take(),
            }),
            Err(refusal) => Err(shed(*refusal)),
        })
    }
}

/// The error of an attempt that gets no place.
pub(super) fn shed<E: From<LayerError>>(refusal: LayerError) -> E {
    metering::refused("adaptive_concurrency", "concurrency");
    tracing::debug!(why = %refusal, "attempt shed");
    refusal.into()
}

/// The place of an attempt, and what times its first token; neither if nothing limits it.
#[derive(Debug, Default)]
pub struct ConcurrencyGuard {
    pub(super) permit: Option<Permit>,
    pub(super) timer: Option<FirstTokenTimer>,
}

impl InSpan for ConcurrencyGuard {}

impl<B, E> Respond<Response<B>, E> for ConcurrencyGuard
where
    E: Failure,
    B: http_body::Body<Error = E>,
{
    type Response = Response<AdaptiveConcurrencyBody<B>>;

    fn respond(self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match result {
            Ok(response) => {
                if let Some(permit) = &self.permit {
                    permit.began(self.timer.as_ref());
                }
                Ok(response.map(|body| WatchBody::new(body, PermitWatch(self.permit))))
            }
            Err(error) => {
                if let Some(permit) = self.permit.filter(|_| is_overload(&error)) {
                    permit.overloaded();
                }
                Err(error)
            }
        }
    }
}
