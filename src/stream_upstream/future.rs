//! The future: reads the stream of a plain call, and puts its answer together.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, header::CONTENT_TYPE, response::Parts};
use http_body::Body;
use pin_project::pin_project;
use tower_llm_layers::{AttemptLog, Failure, Health, LlmRequest, Resumed};
use tower_service::Service;

use super::StreamUpstreamBody;
use crate::{ChatFrame, Error, assemble::Gathered, body::put_together};

/// The future of [`StreamUpstream`](super::StreamUpstream).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct StreamUpstreamFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    #[pin]
    state: State<S::Future, B>,
    /// What it takes to make the call once more; `None` if it passes unchanged.
    again: Option<Box<(S, Request<R>)>>,
    /// How the stream before this one was interrupted, and how many attempts had been sent by then.
    broke: Option<(Error, usize)>,
}

#[pin_project(project = StateProjection)]
enum State<F, B> {
    Calling(#[pin] F),
    Reading(Box<Reading<B>>),
    /// The stream was interrupted: the service is made ready for the next.
    Readying,
    Ended,
}

/// How many bytes one turn may put together, each frame counted as [`FRAME`] bytes at least.
const A_TURN: usize = 64 * 1024;
/// What a frame costs beside its bytes.
const FRAME: usize = 256;

/// A stream that is being read.
struct Reading<B> {
    parts: Parts,
    body: Pin<Box<B>>,
    gathered: Gathered,
}

impl<S, R, B> StreamUpstreamFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    pub(super) const fn passed(future: S::Future) -> Self {
        Self {
            state: State::Calling(future),
            again: None,
            broke: None,
        }
    }

    pub(super) fn gathering(future: S::Future, service: S, request: Request<R>) -> Self {
        Self {
            state: State::Calling(future),
            again: Some(Box::new((service, request))),
            broke: None,
        }
    }
}

impl<S, R, B> Future for StreamUpstreamFuture<S, R, B>
where
    S: Service<Request<R>, Response = Response<B>, Error = Error>,
    R: LlmRequest,
    B: Body<Data = ChatFrame, Error = Error>,
{
    type Output = Result<Response<StreamUpstreamBody<B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(future) => {
                    let result = ready!(future.poll(cx));
                    this.state.set(State::Ended);
                    let response = match result {
                        Ok(response) => response,
                        Err(error) => {
                            // If no candidate was left, the interruption of the stream says more.
                            let now = this.again.as_ref().map_or(0, |again| sent(again.1.body()));
                            return Poll::Ready(Err(match this.broke.take() {
                                Some((broke, before)) if now <= before => broke.unseen(),
                                Some((broke, _)) => error.after_text(broke.into_partial_text().unwrap_or_default()),
                                // One that was read to its end below was not shown either.
                                None if this.again.is_some() => error.unseen(),
                                None => error,
                            }));
                        }
                    };
                    if this.again.is_none() {
                        return Poll::Ready(Ok(response.map(StreamUpstreamBody::passed)));
                    }
                    let (parts, body) = response.into_parts();
                    let body = Box::pin(body);
                    let gathered = Gathered::default();
                    this.state
                        .set(State::Reading(Box::new(Reading { parts, body, gathered })));
                }
                StateProjection::Reading(reading) => {
                    let whole = ready!(reading.poll_whole(cx));
                    let log = this.again.as_ref().and_then(|again| again.1.body().call().attempts());
                    let by = log.as_ref().and_then(AttemptLog::answered_by);
                    // Whatever the stream held ends here.
                    this.state.set(State::Ended);
                    match whole {
                        Ok(response) => return Poll::Ready(Ok(response)),
                        Err(error) => {
                            if let (Some(log), Some(by)) = (log, by) {
                                // The stream itself did not fail: the candidate is not called first once more.
                                log.reject_answer(&by, error.kind(), &Failure::summary(&error));
                            }
                            let before = this.broke.as_ref().and_then(|(broke, _)| broke.partial_text());
                            let error = error.after_text(before.unwrap_or_default());
                            let sent = this.again.as_ref().and_then(|again| may_repeat(again.1.body(), &error));
                            // Without a count of the attempts there is no end but this.
                            let Some(sent) = sent.filter(|sent| *sent > 0 || this.broke.is_none()) else {
                                return Poll::Ready(Err(error.unseen()));
                            };
                            tracing::info!(
                                target: "llm::stream_upstream",
                                kind = error.kind().as_str(),
                                "the stream was interrupted unseen: calling again"
                            );
                            *this.broke = Some((error, sent));
                            this.state.set(State::Readying);
                        }
                    }
                }
                StateProjection::Readying => {
                    let Some(again) = this.again.as_mut() else {
                        return Poll::Pending;
                    };
                    if let Err(error) = ready!(again.0.poll_ready(cx)) {
                        this.state.set(State::Ended);
                        // What broke the stream says more.
                        let error = this.broke.take().map_or(error, |(broke, _)| broke.unseen());
                        return Poll::Ready(Err(error));
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

/// Whether a call whose stream was interrupted so may be made once more: how many attempts were sent, as far as they are counted.
fn may_repeat<R: LlmRequest>(request: &R, error: &Error) -> Option<usize> {
    let call = request.call();
    let in_time = call.remaining().is_none_or(|left| !left.is_zero());
    let hurts = matches!(Failure::advice(error).health, Health::Unhealthy | Health::Paused);
    let may = in_time && hurts && call.attempts_left() > 0;
    may.then(|| sent(request))
}

fn sent<R: LlmRequest>(request: &R) -> usize {
    request.call().attempts().map_or(0, |log| log.sent())
}

impl<B> Reading<B>
where
    B: Body<Data = ChatFrame, Error = Error>,
{
    fn poll_whole(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<StreamUpstreamBody<B>>, Error>> {
        let mut left = A_TURN;
        loop {
            if left == 0 {
                // If the stream is always ready, the timers outside still get a turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(frame) = frame.into_data() else { continue };
                    left = left.saturating_sub(frame.bytes().len().max(FRAME));
                    if let Err(error) = self.gathered.take(&frame) {
                        return Poll::Ready(Err(self.broken(error)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(self.broken(error))),
                None => break,
            }
        }
        let frame = match put_together(std::mem::take(&mut self.gathered), &self.parts.headers) {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Err(error.after_attempts(self.parts.extensions.get()))),
        };
        let mut response = Response::new(StreamUpstreamBody::whole(frame));
        *response.status_mut() = self.parts.status;
        *response.version_mut() = self.parts.version;
        *response.headers_mut() = std::mem::take(&mut self.parts.headers);
        *response.extensions_mut() = std::mem::take(&mut self.parts.extensions);
        // The head named only the model that began.
        let resumed = response.extensions().get::<Resumed>();
        if let Some(mark) = resumed.and_then(Resumed::degraded) {
            response.extensions_mut().get_or_insert(mark);
        }
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Poll::Ready(Ok(response))
    }

    /// The error that ends the stream, with what was tried and received.
    fn broken(&self, error: Error) -> Error {
        let attempts = self.parts.extensions.get();
        error.after_text(self.gathered.text()).after_attempts(attempts)
    }
}

impl<S, R, B> fmt::Debug for StreamUpstreamFuture<S, R, B>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling(_) => "calling",
            State::Reading(_) => "reading",
            State::Readying => "readying",
            State::Ended => "ended",
        };
        f.debug_struct("StreamUpstreamFuture")
            .field("state", &state)
            .field("gathers", &self.again.is_some())
            .finish_non_exhaustive()
    }
}
