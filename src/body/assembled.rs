//! A stream that was not asked for, put together into the plain answer that was.

use std::task::{Context, Poll, ready};

use tower_llm_layers::{Frame as _, Stage};

use super::{put_together, reading, stream::StreamBody};
use crate::{ChatFrame, Error, FailureKind, FrameKind, assemble::Gathered};

/// How many frames one poll may take.
const FRAMES_A_TURN: usize = 64;

/// Reads a stream to its end, and yields one frame.
pub(super) struct AssembledBody {
    stream: Option<Box<StreamBody>>,
    gathered: Gathered,
    /// The last frame with usage: a failed answer has its cost all the same.
    usage: Option<ChatFrame>,
    failed: Option<Error>,
}

impl AssembledBody {
    pub(super) fn new(stream: Box<StreamBody>) -> Self {
        Self {
            stream: Some(stream),
            gathered: Gathered::default(),
            usage: None,
            failed: None,
        }
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.stream.is_none() && self.failed.is_none()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        for _ in 0..FRAMES_A_TURN {
            let Some(stream) = &mut self.stream else {
                return Poll::Ready(self.failed.take().map(Err));
            };
            match ready!(stream.poll_next(cx)) {
                Some(Ok(frame)) if frame.kind() == FrameKind::KeepAlive => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(frame)) => {
                    // That of the first frame is a floor.
                    if frame.has_usage() && frame.stage() != Stage::Preamble {
                        self.usage = Some(frame.clone());
                    }
                    if let Err(error) = self.gathered.take(&frame) {
                        self.stream = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Some(Err(error)) => {
                    self.stream = None;
                    return Poll::Ready(Some(self.broken(error)));
                }
                None => {
                    let headers = std::mem::take(&mut stream.headers);
                    self.stream = None;
                    let gathered = std::mem::take(&mut self.gathered);
                    return Poll::Ready(Some(put_together(gathered, &headers)));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// No part of it was shown: it is a call that was never answered. Its cost is reported first.
    fn broken(&mut self, error: Error) -> Result<ChatFrame, Error> {
        let error = match error.kind() {
            FailureKind::Truncated => error.after_text(self.gathered.text()).unseen(),
            _ => error,
        };
        match self.usage.take().as_ref().and_then(reading::usage_of) {
            Some(usage) => {
                self.failed = Some(error);
                Ok(usage)
            }
            None => Err(error),
        }
    }
}
