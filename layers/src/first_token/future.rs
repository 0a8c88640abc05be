use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Response, response::Parts};
use http_body::Body;
use pin_project::pin_project;

use super::FirstTokenBody;
use crate::{Frame, LayerError, Stage};

/// Frames held at most before the answer begins. Real upstreams send one or two role-only chunks; the bound keeps a
/// broken one from filling memory.
pub const MOST_HELD: usize = 256;

/// Frames read in one go before others get a turn.
const FRAMES_A_TURN: usize = 64;

/// The future of [`FirstToken`](super::FirstToken).
#[pin_project]
pub struct FirstTokenFuture<F, B: Body> {
    #[pin]
    state: State<F, B>,
}

#[pin_project(project = StateProjection)]
enum State<F, B: Body> {
    Calling(#[pin] F),
    Holding(Option<Holding<B>>),
}

/// A response whose answer has not begun.
struct Holding<B: Body> {
    parts: Parts,
    body: B,
    held: VecDeque<B::Data>,
}

impl<F, B: Body> FirstTokenFuture<F, B> {
    pub(super) const fn new(response: F) -> Self {
        Self {
            state: State::Calling(response),
        }
    }
}

impl<F, B: Body> fmt::Debug for FirstTokenFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match &self.state {
            State::Calling(_) => None,
            State::Holding(holding) => holding.as_ref().map(|holding| holding.held.len()),
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
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling(response) => {
                    let result = ready!(response.poll(cx));
                    // The attempt's future goes now; its body stays.
                    this.state.set(State::Holding(None));
                    let (parts, body) = result?.into_parts();
                    this.state.set(State::Holding(Some(Holding {
                        parts,
                        body,
                        held: VecDeque::new(),
                    })));
                }
                StateProjection::Holding(waiting) => {
                    let begun = match waiting.as_mut() {
                        Some(holding) => ready!(holding.poll_begin(cx)),
                        // Polled again after it was ready: stay silent rather than panic.
                        None => return Poll::Pending,
                    };
                    // On failure this drops the body, and so the connection, before anyone tries again.
                    let Some(Holding { parts, body, held }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(begun.map(|()| Response::from_parts(parts, FirstTokenBody::new(held, body))));
                }
            }
        }
    }
}

impl<B> Holding<B>
where
    B: Body + Unpin,
    B::Data: Frame,
    B::Error: From<LayerError>,
{
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), B::Error>> {
        for _ in 0..FRAMES_A_TURN {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
                return Poll::Ready(Err(LayerError::Empty.into()));
            };
            // Trailers before any content say nothing that a caller could use.
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            match data.stage() {
                Stage::KeepAlive => {}
                Stage::Content | Stage::Finish => {
                    self.held.push_back(data);
                    return Poll::Ready(Ok(()));
                }
                Stage::Preamble | Stage::Trailer => {
                    if self.held.len() >= MOST_HELD {
                        return Poll::Ready(Err(LayerError::NeverBegan { frames: MOST_HELD }.into()));
                    }
                    self.held.push_back(data);
                }
            }
        }
        // A body that is always ready leaves the clocks outside a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
