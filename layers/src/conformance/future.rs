//! The future that checks answers against what was requested.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Response, response::Parts};
use http_body::Body;
use pin_project::pin_project;

use super::{ConformanceBody, ConformanceCheck};
use crate::{Failure, FailureKind, Frame, LayerError, LlmRequest, Phase};

/// The largest answer that is checked, in bytes of memory: a longer one passes.
const LARGEST: usize = 16 * 1024 * 1024;

/// How many frames one poll may read, so that the timers outside get a turn.
const FRAMES_A_TURN: usize = 256;

/// The future of [`Conformance`](super::Conformance).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct ConformanceFuture<F, B: Body, R, C> {
    #[pin]
    state: State<F, B>,
    /// The check, and the request whose answer it is for; `None` if the answer passes as it comes.
    checked: Option<(Arc<C>, R)>,
}

#[pin_project(project = StateProjection)]
enum State<F, B: Body> {
    Calling(#[pin] F),
    Reading(Option<Box<Reading<B>>>),
    Ended,
}

/// An answer that is being read.
struct Reading<B: Body> {
    parts: Parts,
    body: Pin<Box<B>>,
    frames: Vec<B::Data>,
    bytes: usize,
}

impl<F, B: Body, R, C> ConformanceFuture<F, B, R, C> {
    pub(super) const fn new(future: F, checked: Option<(Arc<C>, R)>) -> Self {
        Self {
            state: State::Calling(future),
            checked,
        }
    }
}

impl<F, B: Body, R, C> fmt::Debug for ConformanceFuture<F, B, R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConformanceFuture")
            .field("checks", &self.checked.is_some())
            .finish_non_exhaustive()
    }
}

impl<F, B, R, C> Future for ConformanceFuture<F, B, R, C>
where
    F: Future<Output = Result<Response<B>, B::Error>>,
    B: Body,
    B::Data: Frame,
    B::Error: Failure + From<LayerError>,
    R: LlmRequest,
    C: ConformanceCheck<R, B::Data>,
{
    type Output = Result<Response<ConformanceBody<B>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(future) => {
                    let result = ready!(future.poll(cx));
                    this.state.set(State::Ended);
                    let response = result?;
                    if this.checked.is_none() {
                        return Poll::Ready(Ok(response.map(ConformanceBody::passed)));
                    }
                    let (parts, body) = response.into_parts();
                    let reading = Reading {
                        parts,
                        body: Box::pin(body),
                        frames: Vec::new(),
                        bytes: 0,
                    };
                    this.state.set(State::Reading(Some(Box::new(reading))));
                }
                StateProjection::Reading(place) => {
                    let Some(reading) = place else {
                        return Poll::Pending;
                    };
                    let read = ready!(reading.poll_read(cx));
                    let reading = place.take();
                    this.state.set(State::Ended);
                    let (Some(reading), Some((check, request))) = (reading, this.checked.take()) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(match read {
                        Read::Failed(error) => Err(before_it_began(error)),
                        Read::TooLarge => Ok(reading.too_large()),
                        Read::Whole => reading.checked(&*check, &request),
                    });
                }
                // Polled again after it was ready: stay silent rather than panic.
                StateProjection::Ended => return Poll::Pending,
            }
        }
    }
}

/// How an answer was read.
enum Read<E> {
    Whole,
    TooLarge,
    Failed(E),
}

impl<B> Reading<B>
where
    B: Body,
    B::Data: Frame,
    B::Error: Failure + From<LayerError>,
{
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read<B::Error>> {
        for _ in 0..FRAMES_A_TURN {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers have no meaning here.
                    let Ok(frame) = frame.into_data() else { continue };
                    self.bytes = self.bytes.saturating_add(frame.size_in_bytes());
                    self.frames.push(frame);
                    if self.bytes > LARGEST {
                        return Poll::Ready(Read::TooLarge);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Read::Failed(error)),
                None => return Poll::Ready(Read::Whole),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn too_large(self) -> Response<ConformanceBody<B>> {
        tracing::warn!(
            bytes = self.bytes,
            "an answer is too large to be checked against its schema"
        );
        let body = ConformanceBody::held(self.frames.into(), Some(self.body));
        Response::from_parts(self.parts, body)
    }

    fn checked<R, C>(self, check: &C, request: &R) -> Result<Response<ConformanceBody<B>>, B::Error>
    where
        R: LlmRequest,
        C: ConformanceCheck<R, B::Data>,
    {
        // The body ends here: the attempt is recorded before its line says that the answer was rejected.
        drop(self.body);
        match check.check(request, &self.frames) {
            Ok(()) => {
                let body = ConformanceBody::held(self.frames.into(), None);
                Ok(Response::from_parts(self.parts, body))
            }
            Err(nonconformity) => {
                let kind = FailureKind::Nonconformant;
                tracing::info!(kind = kind.as_str(), reason = nonconformity.reason(), "answer rejected");
                let error = B::Error::from(LayerError::Nonconformant(Box::new(nonconformity)));
                request.call().reject_answer(kind, &error.summary());
                Err(error)
            }
        }
    }
}

/// Nothing was shown of an answer that was interrupted here: it may be repeated as one that never began.
fn before_it_began<E: Failure>(mut error: E) -> E {
    let unshown = match error.kind() {
        FailureKind::Truncated => FailureKind::Reset,
        FailureKind::Timeout(Phase::Idle | Phase::Throughput) => FailureKind::Timeout(Phase::Response),
        _ => return error,
    };
    if error.marks().advice().is_none() {
        error.marks_mut().set_advice(unshown.advice());
    }
    error
}
