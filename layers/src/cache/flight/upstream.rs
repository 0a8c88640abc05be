//! The one call that readers share, step by step, whichever of them polls it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, response::Parts};
use http_body::Body;
use pin_project::pin_project;
use tower_service::Service;

use crate::{Frame, cache::entry::Piece};

/// What a step of the call gave; `ended` if nothing comes after it.
pub(in crate::cache) enum Step<D, E> {
    Head(Parts, bool),
    Piece(Piece<D>, bool),
    End,
    Failed(E),
}

/// A type-erased call.
pub(in crate::cache) trait Drive<D, E>: Send {
    fn poll_step(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step<D, E>>;
}

pub(in crate::cache) type BoxDrive<D, E> = Pin<Box<dyn Drive<D, E>>>;

#[pin_project(project = UpstreamProjection)]
pub(in crate::cache) enum Upstream<S, Q, F, B> {
    /// A service that is not ready yet, and its request.
    Readying(Option<(S, Q)>),
    Calling(#[pin] F),
    Reading(#[pin] B),
    Ended,
}

impl<S, R, B> Upstream<S, Request<R>, S::Future, B>
where
    S: Service<Request<R>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    R: Send + 'static,
    B: Body<Error = S::Error> + Send + 'static,
    B::Data: Frame + Clone,
{
    pub(in crate::cache) fn calling(future: S::Future) -> BoxDrive<B::Data, S::Error> {
        Box::pin(Self::Calling(future))
    }

    pub(in crate::cache) fn readying(service: S, request: Request<R>) -> BoxDrive<B::Data, S::Error> {
        Box::pin(Self::Readying(Some((service, request))))
    }
}

impl<S, R, B> Drive<B::Data, S::Error> for Upstream<S, Request<R>, S::Future, B>
where
    S: Service<Request<R>, Response = Response<B>> + Send,
    S::Future: Send,
    R: Send,
    B: Body<Error = S::Error> + Send,
    B::Data: Frame + Clone,
{
    fn poll_step(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Step<B::Data, S::Error>> {
        loop {
            let failed = match self.as_mut().project() {
                UpstreamProjection::Readying(waiting) => {
                    let Some((service, _)) = waiting else {
                        return Poll::Pending;
                    };
                    match ready!(service.poll_ready(cx)) {
                        Ok(()) => {
                            let Some((mut service, request)) = waiting.take() else {
                                return Poll::Pending;
                            };
                            self.set(Self::Calling(service.call(request)));
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                UpstreamProjection::Calling(future) => match ready!(future.poll(cx)) {
                    Ok(response) => {
                        let (parts, body) = response.into_parts();
                        let ended = body.is_end_stream();
                        self.set(Self::Reading(body));
                        return Poll::Ready(Step::Head(parts, ended));
                    }
                    Err(error) => error,
                },
                UpstreamProjection::Reading(mut body) => match ready!(body.as_mut().poll_frame(cx)) {
                    Some(Ok(frame)) => match Piece::of(frame) {
                        Some(piece) => return Poll::Ready(Step::Piece(piece, body.is_end_stream())),
                        // An unknown kind of frame.
                        None => continue,
                    },
                    None => {
                        self.set(Self::Ended);
                        return Poll::Ready(Step::End);
                    }
                    Some(Err(error)) => error,
                },
                UpstreamProjection::Ended => return Poll::Pending,
            };
            self.set(Self::Ended);
            return Poll::Ready(Step::Failed(failed));
        }
    }
}
