//! A call whose answer has not begun.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project::pin_project;

use super::{FirstTokenBody, failing::FailingReasons};
use crate::{AttemptHandle, Frame, LayerError, Stage};

/// Bytes of frames held at most before the answer begins.
///
/// The bound is one of memory, and says nothing of the answer: a model that reasons unseen may send blank chunks for minutes, and the first events of a
/// response repeat its instructions, of megabytes. So more is no failure: what is held is passed on, and the call is answered from there on.
pub const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;

/// Frames read in one go before others get a turn.
const FRAMES_A_TURN: usize = 64;

/// The future of [`FirstToken`](super::FirstToken).
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct FirstTokenFuture<F, B: Body> {
    /// The line on which the provider of the answer is written.
    attempt: Option<AttemptHandle>,
    failing: FailingReasons,
    #[pin]
    state: State<F, B>,
}

#[pin_project(project = StateProjection, project_replace = StateOwned)]
enum State<F, B: Body> {
    Calling(#[pin] F),
    /// On the heap: it is there only if the answer did not begin with the first poll of its body.
    Holding(Box<Holding<B>>),
    Ended,
}

/// A response whose answer has not begun.
struct Holding<B: Body> {
    response: Response<B>,
    held: VecDeque<B::Data>,
    bytes: usize,
    /// There is no room for more: what is held is passed on, though the answer has not begun.
    is_full: bool,
    failing: FailingReasons,
    /// The answer ends for this reason, which is a failure: the rest is read for what it says of usage.
    failed: Option<Box<LayerError>>,
}

impl<F, B: Body> FirstTokenFuture<F, B> {
    #[inline]
    pub(super) const fn new(attempt: Option<AttemptHandle>, failing: FailingReasons, response: F) -> Self {
        Self {
            attempt,
            failing,
            state: State::Calling(response),
        }
    }
}

impl<F, B: Body> fmt::Debug for FirstTokenFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match &self.state {
            State::Holding(holding) => Some(holding.held.len()),
            State::Calling(_) | State::Ended => None,
        };
        f.debug_struct("FirstTokenFuture")
            .field("held", &held)
            .finish_non_exhaustive()
    }
}

impl<F, B> Future for FirstTokenFuture<F, B>
where
    F: Future<Output = Result<Response<B>, B::Error>>,
    B: Body + Unpin,
    B::Data: Frame,
    B::Error: From<LayerError>,
{
    type Output = Result<Response<FirstTokenBody<B>>, B::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut state = this.state;
        let attempt = this.attempt.as_ref();
        if let StateProjection::Calling(response) = state.as_mut().project() {
            let response = ready!(response.poll(cx));
            state.set(State::Ended);
            // Most answers begin with their first frame: then nothing is put away.
            let mut holding = Holding {
                response: response?,
                held: VecDeque::new(),
                bytes: 0,
                is_full: false,
                failing: std::mem::take(this.failing),
                failed: None,
            };
            return match holding.poll_begin(cx) {
                Poll::Ready(first) => Poll::Ready(first.map(|first| holding.begun(first, attempt))),
                Poll::Pending => {
                    state.set(State::Holding(Box::new(holding)));
                    Poll::Pending
                }
            };
        }
        let StateProjection::Holding(holding) = state.as_mut().project() else {
            return Poll::Pending;
        };
        let first = ready!(holding.poll_begin(cx));
        // On failure the body, and so the connection, is dropped here: before the next attempt.
        Poll::Ready(match (state.project_replace(State::Ended), first) {
            (StateOwned::Holding(holding), Ok(first)) => Ok(holding.begun(first, attempt)),
            (_, Err(error)) => Err(error),
            (StateOwned::Calling(_) | StateOwned::Ended, Ok(_)) => return Poll::Pending,
        })
    }
}

impl<B: Body> Holding<B>
where
    B::Data: Frame,
{
    /// The response, whose answer begins with this frame behind those that were held, or behind all of them if there was no room for more.
    #[inline]
    fn begun(self, first: B::Data, attempt: Option<&AttemptHandle>) -> Response<FirstTokenBody<B>> {
        let Self {
            response,
            held,
            is_full,
            failing,
            ..
        } = self;
        let provider = || first.provider().or_else(|| held.iter().find_map(Frame::provider));
        if let Some((attempt, provider)) = attempt.and_then(|attempt| Some((attempt, provider()?))) {
            attempt.served_by(&provider);
        }
        response.map(|body| FirstTokenBody::new(held, first, body, failing, !is_full))
    }
}

impl<B> Holding<B>
where
    B: Body + Unpin,
    B::Data: Frame,
    B::Error: From<LayerError>,
{
    /// The frame with which the answer begins, or the one for which there is no room.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<B::Data, B::Error>> {
        for _ in 0..FRAMES_A_TURN {
            let next = ready!(Pin::new(self.response.body_mut()).poll_frame(cx));
            if let Some(failed) = self.failed.take() {
                if !matches!(next, Some(Ok(_))) {
                    return Poll::Ready(Err((*failed).into()));
                }
                self.failed = Some(failed);
                continue;
            }
            let Some(frame) = next else {
                return Poll::Ready(Err(LayerError::EmptyResponse.into()));
            };
            // Trailers before any content are of no use to a caller.
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            match data.stage() {
                Stage::KeepAlive => {}
                Stage::Content | Stage::Finish => {
                    self.failed = self.failing.failure(&data);
                    if self.failed.is_none() {
                        return Poll::Ready(Ok(data));
                    }
                }
                Stage::Preamble | Stage::Trailer => {
                    self.bytes = self.bytes.saturating_add(data.size_in_bytes());
                    if self.bytes > MAX_HELD_BYTES {
                        self.is_full = true;
                        return Poll::Ready(Ok(data));
                    }
                    self.held.push_back(data);
                }
            }
        }
        // If the body is always ready, the timers outside still get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
