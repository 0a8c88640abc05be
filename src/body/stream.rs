//! A streamed answer: events as they come, and an honest end.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Sleep, sleep};
use tower_llm_layers::{Frame, Stage};

use super::{reading, wire::Wire};
use crate::{
    ChatFrame, Error, FailureKind,
    frame::FrameKind,
    sse::{SseDecoder, SseItem},
    transport::generation_id,
};

/// How long to wait for the usage after the answer's finish.
const WAIT_FOR_USAGE: Duration = Duration::from_secs(5);
/// How long to wait for `[DONE]` after the usage.
const WAIT_FOR_DONE: Duration = Duration::from_millis(500);
/// How long to wait for the connection's own end after `[DONE]`: read to its end, it can be used again.
const WAIT_FOR_CLOSE: Duration = Duration::from_millis(20);
/// How often one poll may read without a frame to show for it.
const READS_A_TURN: usize = 64;

/// Reads a stream of events.
///
/// Whole is a stream that said `[DONE]`, or whose only choice said why it finished. Everything else that ends is an error.
pub(super) struct StreamBody {
    wire: Option<Wire>,
    decoder: SseDecoder,
    input: Bytes,
    headers: HeaderMap,
    progress: Progress,
    /// Runs after the finish only.
    timer: Option<Pin<Box<Sleep>>>,
}

#[derive(Default)]
struct Progress {
    began: bool,
    finished: bool,
    several: bool,
    usage: bool,
    done: bool,
    generation_id: Option<String>,
}

impl StreamBody {
    pub(super) fn new(wire: Wire, headers: HeaderMap) -> Self {
        let generation_id = generation_id(&headers).map(str::to_owned);
        let progress = Progress {
            generation_id,
            ..Progress::default()
        };
        Self {
            wire: Some(wire),
            decoder: SseDecoder::new(),
            input: Bytes::new(),
            headers,
            progress,
            timer: None,
        }
    }

    pub(super) const fn is_ended(&self) -> bool {
        self.wire.is_none()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        for _ in 0..READS_A_TURN {
            if self.wire.is_none() {
                return Poll::Ready(None);
            }
            let next = match self.decoder.decode(&mut self.input) {
                Ok(Some(item)) => match self.take(item) {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                },
                Ok(None) => match ready!(self.poll_more(cx)) {
                    Some(Ok(())) => continue,
                    Some(Err(error)) => Err(error),
                    None => Ok(()),
                },
                Err(error) => Err(Error::caused(
                    self.broken(FailureKind::Malformed),
                    error.to_string(),
                    error,
                )),
            };
            // Whichever way it ends, the connection goes now.
            self.wire = None;
            return Poll::Ready(
                next.err()
                    .map(|error| Err(error.of_generation(self.progress.generation_id.as_deref()))),
            );
        }
        if self.progress.done {
            self.wire = None;
            return Poll::Ready(self.ended(None).err().map(Err));
        }
        // A wire that is always ready and says nothing leaves the clocks outside a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One item of the stream; nothing to yield for those that only say where we are.
    fn take(&mut self, item: SseItem) -> Result<Option<ChatFrame>, Error> {
        match item {
            // Nothing counts after the end.
            SseItem::Comment | SseItem::Event(_) if self.progress.done => Ok(None),
            SseItem::Comment => Ok(Some(ChatFrame::keep_alive())),
            SseItem::Done => {
                self.progress.done = true;
                self.timer = None;
                Ok(None)
            }
            SseItem::Event(event) if event.event.as_deref() == Some(b"error") => {
                Err(reading::named_error(&event.data, &self.headers))
            }
            // A blank event is a sign of life as some providers send it.
            SseItem::Event(event) if event.data.trim_ascii().is_empty() => Ok(Some(ChatFrame::keep_alive())),
            SseItem::Event(event) => {
                let reading = reading::read(event.data, FrameKind::Chunk, &self.headers)
                    .map_err(|error| if self.progress.began { error.broke_off() } else { error })?;
                if !self.progress.began {
                    reading.refuse_withheld(&self.headers)?;
                }
                let progress = &mut self.progress;
                progress.began |= reading.frame.stage().begins_answer();
                progress.several |= reading.several;
                progress.usage |= reading.frame.has_usage();
                let content = reading.frame.stage() == Stage::Content;
                if reading.finished || reading.frame.has_usage() || content {
                    // Content that goes on takes the finish before it back.
                    progress.finished = reading.finished || (progress.finished && !content);
                    self.timer = None;
                }
                Ok(Some(reading.frame))
            }
        }
    }

    /// More bytes; `None` at an end that is whole.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<(), Error>>> {
        let Some(wire) = &mut self.wire else {
            return Poll::Ready(None);
        };
        match wire.poll_bytes(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.input = bytes;
                Poll::Ready(Some(Ok(())))
            }
            Poll::Ready(Some(Err(cause))) => Poll::Ready(self.ended(Some(cause)).err().map(Err)),
            Poll::Ready(None) => Poll::Ready(self.ended(None).err().map(Err)),
            Poll::Pending => {
                let Some(wait) = self.patience() else {
                    return Poll::Pending;
                };
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(wait)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(self.ended(None).err().map(Err))
            }
        }
    }

    /// How long an upstream may stay silent once the answer is there; before that the idle clock of a layer counts.
    const fn patience(&self) -> Option<Duration> {
        if self.progress.done {
            Some(WAIT_FOR_CLOSE)
        } else if !self.is_whole() {
            None
        } else if self.progress.usage {
            Some(WAIT_FOR_DONE)
        } else {
            Some(WAIT_FOR_USAGE)
        }
    }

    const fn is_whole(&self) -> bool {
        // One choice's finish is not the others'.
        self.progress.done || (self.progress.finished && !self.progress.several)
    }

    /// The stream has ended: as a whole answer, or how it broke.
    fn ended(&self, cause: Option<crate::error::Source>) -> Result<(), Error> {
        let (began, whole) = (self.progress.began, self.is_whole());
        match cause {
            _ if began && whole => Ok(()),
            Some(cause) => Err(Error::caused(self.broken(FailureKind::Reset), self.how(), cause)),
            None if began || self.decoder.finish().is_err() => {
                Err(Error::new(self.broken(FailureKind::Reset), self.how()))
            }
            None => Err(Error::new(
                FailureKind::EmptyResponse,
                "the stream ended without anything to show",
            )),
        }
    }

    /// A part was shown, or nothing was and the call may be made again.
    const fn broken(&self, before: FailureKind) -> FailureKind {
        if self.progress.began {
            FailureKind::Truncated
        } else {
            before
        }
    }

    const fn how(&self) -> &'static str {
        if self.progress.began {
            "the stream was cut before the answer was whole"
        } else {
            "the connection broke before the answer began"
        }
    }
}
