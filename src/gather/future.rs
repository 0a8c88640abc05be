use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use pin_project::pin_project;
use tower_llm_layers::{Health, LlmRequest};
use tower_service::Service;

use super::{GatherBody, answer::Gathered};
use crate::{ChatFrame, Error};

/// The future of [`Gather`](super::Gather).
#[pin_project]
pub struct GatherFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    #[pin]
    state: State<S::Future, B>,
    /// What it takes to make the call once more; nothing where it passes as it is.
    again: Option<Box<(S, Request<R>)>>,
    /// Whether that may still be done.
    may_repeat: bool,
}

#[pin_project(project = StateProjection)]
enum State<F, B> {
    Calling(#[pin] F),
    Reading(Box<Reading<B>>),
    /// The stream broke off so: the service is made ready for the next.
    Readying(Option<Error>),
    Ended,
}

/// A stream that is being read.
struct Reading<B> {
    parts: Parts,
    body: Pin<Box<B>>,
    gathered: Gathered,
}

impl<S, R, B> GatherFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    pub(super) const fn passed(future: S::Future) -> Self {
        Self {
            state: State::Calling(future),
            again: None,
            may_repeat: false,
        }
    }

    pub(super) fn gathering(future: S::Future, service: S, request: Request<R>) -> Self {
        Self {
            state: State::Calling(future),
            again: Some(Box::new((service, request))),
            may_repeat: true,
        }
    }
}

impl<S, R, B> Future for GatherFuture<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = Error>,
    R: LlmRequest,
    B: Body<Data = ChatFrame, Error = Error>,
{
    type Output = Result<Response<GatherBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(future) => {
                    let result = ready!(future.poll(cx));
                    this.state.set(State::Ended);
                    let response = match result {
                        Ok(response) => response,
                        Err(error) => return Poll::Ready(Err(error)),
                    };
                    if this.again.is_none() {
                        return Poll::Ready(Ok(response.map(GatherBody::passed)));
                    }
                    let (parts, body) = response.into_parts();
                    let body = Box::pin(body);
                    let gathered = Gathered::default();
                    this.state
                        .set(State::Reading(Box::new(Reading { parts, body, gathered })));
                }
                StateProjection::Reading(reading) => {
                    let whole = ready!(reading.poll_whole(cx));
                    // Whatever the stream held ends here.
                    this.state.set(State::Ended);
                    match whole {
                        Ok(response) => return Poll::Ready(Ok(response)),
                        Err(error) => {
                            let call = this.again.as_ref().map(|again| again.1.body().call());
                            let may = call.is_some_and(|call| {
                                call.attempts_left() > 0 && call.remaining().is_none_or(|left| !left.is_zero())
                            });
                            let hurts = matches!(error.kind().advice().health, Health::Hurts | Health::Pauses);
                            if !(may && hurts && std::mem::take(this.may_repeat)) {
                                return Poll::Ready(Err(error.unseen()));
                            }
                            tracing::info!(
                                target: "llm::gather",
                                kind = error.kind().as_str(),
                                "the stream broke off unseen: calling again"
                            );
                            this.state.set(State::Readying(Some(error)));
                        }
                    }
                }
                StateProjection::Readying(broke) => {
                    let Some(again) = this.again.as_mut() else {
                        return Poll::Pending;
                    };
                    if ready!(again.0.poll_ready(cx)).is_err() {
                        // What broke the stream says more.
                        let broke = broke.take();
                        this.state.set(State::Ended);
                        return broke.map_or(Poll::Pending, |error| Poll::Ready(Err(error.unseen())));
                    }
                    let request = again.1.clone();
                    let future = again.0.call(request);
                    this.state.set(State::Calling(future));
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

impl<B> Reading<B>
where
    B: Body<Data = ChatFrame, Error = Error>,
{
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<GatherBody<B>>, Error>> {
        loop {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(frame) = frame.into_data() else { continue };
                    if let Err(error) = self.gathered.take(&frame) {
                        return Poll::Ready(Err(error));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => break,
            }
        }
        let frame = match std::mem::take(&mut self.gathered).whole(&self.parts.headers) {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let mut response = Response::new(GatherBody::whole(frame));
        *response.status_mut() = self.parts.status;
        *response.version_mut() = self.parts.version;
        *response.headers_mut() = std::mem::take(&mut self.parts.headers);
        *response.extensions_mut() = std::mem::take(&mut self.parts.extensions);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Poll::Ready(Ok(response))
    }
}

impl<S, R, B> fmt::Debug for GatherFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling(_) => "calling",
            State::Reading(_) => "reading",
            State::Readying(_) => "readying",
            State::Ended => "ended",
        };
        f.debug_struct("GatherFuture")
            .field("state", &state)
            .field("gathers", &self.again.is_some())
            .finish_non_exhaustive()
    }
}
