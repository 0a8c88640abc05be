//! A streamed answer: events as they come, and an honest end.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep};

use super::{
    bare::{Bare, is_whole_event},
    event::Taken,
    limits::ReadLimits,
    plain::broken,
    progress::Progress,
    ready::Ready,
    wire::Wire,
};
use crate::encoding::UnknownEncoding;
use crate::{Api, ChatFrame, Error, FailureKind, classify::generation_id, error::Source};
use openrouter_wire::sse::{SseDecoder, SseItem};

/// How long to wait for the connection's own end after `[DONE]`: read to its end, it can be used again.
const WAIT_FOR_CLOSE: Duration = Duration::from_millis(20);
/// The same if no usage has come: some servers send it after `[DONE]`.
const WAIT_FOR_LATE_USAGE: Duration = Duration::from_millis(500);
/// How often a wait for the trailer gives a sign of life, so that no idle timeout takes it for a silence.
const SIGN_OF_WAITING: Duration = Duration::from_secs(1);
/// How often one poll may read without a frame to show for it.
const READS_A_TURN: usize = 64;

/// Reads a stream of events.
///
/// Whole is a stream that said `[DONE]`, or whose choices all said why they finished. Everything else that ends is an error. A timeout ends
/// a stream only behind a finish that can be believed: one that came without content, and was never taken back.
pub(super) struct StreamBody {
    wire: Option<Wire>,
    pub(super) decoder: SseDecoder,
    input: Bytes,
    pub(super) headers: HeaderMap,
    pub(super) progress: Progress,
    /// The chunk before, if it was nothing but text.
    pub(super) last: Option<ChatFrame>,
    /// The same chunk was copied out of what was received.
    is_last_own: bool,
    /// What came with one event and is not returned yet.
    pub(super) ready: VecDeque<Ready>,
    /// The bytes have ended, and so: with a cause where they broke.
    closed: Option<Option<Source>>,
    /// The bytes ended within an event.
    is_partial: bool,
    trailer_timeout: Duration,
    /// A document without `data:` that is not whole yet.
    pub(super) bare: Option<Bare>,
    /// The document that is being read stands outside of the events.
    pub(super) is_bare: bool,
    /// Runs after the finish only: the next tick, and when the waiting is over.
    timer: Option<(Pin<Box<Sleep>>, Instant)>,
}

impl StreamBody {
    pub(super) fn new(wire: Wire, headers: HeaderMap, api: Api, limits: ReadLimits) -> Self {
        let generation_id = generation_id(&headers).map(str::to_owned);
        let progress = Progress::of(generation_id, api);
        Self {
            wire: Some(wire),
            decoder: SseDecoder::with_limit(limits.max_event_bytes),
            input: Bytes::new(),
            headers,
            progress,
            last: None,
            is_last_own: false,
            ready: VecDeque::new(),
            closed: None,
            is_partial: false,
            trailer_timeout: limits.trailer_timeout,
            bare: None,
            is_bare: false,
            timer: None,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.wire.is_none() && self.ready.is_empty()
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ChatFrame, Error>>> {
        for _ in 0..READS_A_TURN {
            match self.ready.pop_front() {
                Some(Ready::Frame(next)) => return Poll::Ready(Some(next.map_err(|error| self.fail(error)))),
                Some(Ready::Documents { documents, is_bare }) => {
                    self.before_the_rest(is_bare, |body| body.several(documents));
                    continue;
                }
                Some(Ready::Lines { lines, is_bare }) => {
                    self.before_the_rest(is_bare, |body| body.next_line(lines));
                    continue;
                }
                None => {}
            }
            if self.wire.is_none() {
                return Poll::Ready(None);
            }
            match self.decoder.decode(&mut self.input) {
                Ok(Some(item)) => match self.take(item) {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => {}
                    Err(error) => self.ready.push_back(Ready::Frame(Err(error))),
                },
                Ok(None) => {
                    if let Some(frame) = ready!(self.poll_more(cx)) {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
                Err(error) => {
                    let error = Error::caused(self.broken(FailureKind::Malformed), error.to_string(), error);
                    self.ready.push_back(Ready::Frame(Err(error)));
                }
            }
        }
        if self.progress.done {
            // Whatever else comes: the end is the end.
            self.end(None);
        }
        // If the wire is always ready and sends nothing, the timers outside still get a turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The last item: the connection goes now.
    fn fail(&mut self, error: Error) -> Error {
        self.wire = None;
        self.ready.clear();
        error.of_generation(self.progress.generation_id.as_deref())
    }

    /// One item of the stream; nothing to yield for those that only say where we are.
    pub(super) fn take(&mut self, item: SseItem) -> Taken {
        match item {
            SseItem::Comment if self.progress.done => Ok(None),
            SseItem::Comment => Ok(Some(ChatFrame::keep_alive())),
            SseItem::Done if self.progress.ends_when_done() => {
                self.timer = None;
                Ok(None)
            }
            // It claims an end that the answer has not reached.
            SseItem::Done => Err(self.interrupted(None)),
            SseItem::Event(event) => self.event(event),
            SseItem::Unframed(line) => self.stray(&line),
            _ => Ok(None),
        }
    }

    /// Something of the answer came: the wait for its end starts again.
    pub(super) fn restart_timer(&mut self) {
        self.timer = None;
    }

    /// More bytes, or a sign of waiting; the end of the bytes is read like an item.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChatFrame>> {
        let Some(wire) = &mut self.wire else {
            return Poll::Ready(None);
        };
        if let Some(cause) = self.closed.take() {
            self.end(cause);
            return Poll::Ready(None);
        }
        match wire.poll_bytes(cx) {
            Poll::Ready(Some(Ok(bytes))) => self.input = bytes,
            Poll::Ready(Some(Err(cause))) => {
                self.closed = Some(Some(cause));
                self.take_whole();
            }
            Poll::Ready(None) => {
                self.closed = Some(None);
                self.flush();
            }
            Poll::Pending => {
                self.let_go();
                return self.poll_timer(cx);
            }
        }
        Poll::Ready(None)
    }

    /// Keeps nothing of what was received while it waits: the connection reads into the same memory again, some 8 KiB a stream.
    fn let_go(&mut self) {
        if self.input.is_empty() {
            self.input = Bytes::new();
        }
        if let (Some(last), false) = (&mut self.last, self.is_last_own) {
            *last = last.with_own_bytes();
            self.is_last_own = true;
        }
    }

    /// The chunk that the next ones are compared with.
    pub(super) fn set_last(&mut self, frame: Option<ChatFrame>) {
        self.last = frame;
        self.is_last_own = false;
    }

    /// The event that lacks its blank line, if it is whole all the same.
    fn flush(&mut self) {
        for item in self.decoder.flush() {
            let readable = match &item {
                SseItem::Event(event) => is_whole_event(&event.data),
                SseItem::Done | SseItem::Unframed(_) => true,
                _ => false,
            };
            if !readable {
                self.is_partial = true;
                if let SseItem::Event(event) = &item {
                    self.keep_words(&event.data);
                }
                continue;
            }
            self.keep_ready(item);
        }
        self.drop_bare();
    }

    /// The bytes broke. An event that came whole counts all the same: it may say what the answer cost. Words of a part of one do not.
    fn take_whole(&mut self) {
        for item in self.decoder.flush() {
            match &item {
                SseItem::Event(event) if is_whole_event(&event.data) => self.keep_ready(item),
                SseItem::Event(_) => self.is_partial = true,
                _ => {}
            }
        }
    }

    fn keep_ready(&mut self, item: SseItem) {
        let before = self.ready.len();
        match self.take(item) {
            // Of several documents in one item the first is returned, and the others are ready behind it.
            Ok(Some(frame)) => self.ready.insert(before, Ready::Frame(Ok(frame))),
            Ok(None) => {}
            Err(error) => self.ready.push_back(Ready::Frame(Err(error))),
        }
    }

    /// Waits once the answer is there; before that the idle timeout of a layer counts.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChatFrame>> {
        let Some(patience) = self.patience() else {
            return Poll::Pending;
        };
        let tick = SIGN_OF_WAITING.min(patience);
        let (timer, until) = self
            .timer
            .get_or_insert_with(|| (Box::pin(sleep(tick)), Instant::now() + patience));
        ready!(timer.as_mut().poll(cx));
        let now = Instant::now();
        if now < *until {
            timer.as_mut().reset((now + SIGN_OF_WAITING).min(*until));
            return Poll::Ready(Some(ChatFrame::keep_alive()));
        }
        // What is left is read before the end is decided on.
        self.closed = Some(None);
        self.flush();
        Poll::Ready(None)
    }

    fn patience(&self) -> Option<Duration> {
        if self.progress.done {
            Some(if self.progress.usage {
                WAIT_FOR_CLOSE
            } else {
                WAIT_FOR_LATE_USAGE
            })
        } else if self.progress.may_end_by_time() {
            Some(self.trailer_timeout)
        } else {
            None
        }
    }

    /// The stream has ended: as a whole answer, or how it broke.
    fn end(&mut self, cause: Option<Source>) {
        let is_sure = cause.is_none() && self.wire.as_ref().is_some_and(Wire::is_framed);
        let (began, whole) = (self.progress.began, self.progress.is_whole(is_sure));
        let failed = if began && whole && !self.has_failure_text() {
            None
        } else {
            Some(self.interrupted(cause))
        };
        self.ready.extend(failed.map(|error| Ready::Frame(Err(error))));
        if self.ready.is_empty() {
            self.wire = None;
        }
    }

    fn interrupted(&mut self, cause: Option<Source>) -> Error {
        let is_partial = self.is_partial || self.decoder.finish().is_err();
        let cause = match cause {
            Some(cause) if cause.is::<UnknownEncoding>() => return broken(cause),
            cause => cause,
        };
        if let Some(told) = self.told() {
            return told;
        }
        match cause {
            Some(cause) => Error::caused(self.broken(FailureKind::Reset), self.how(), cause),
            None if self.progress.began || (is_partial && !self.progress.done) => {
                Error::new(self.broken(FailureKind::Reset), self.how())
            }
            None => {
                self.progress.explained.take().unwrap_or_else(|| {
                    Error::new(FailureKind::EmptyResponse, "the stream ended without anything to show")
                })
            }
        }
    }

    /// A part was shown, or nothing was and the call may be made again.
    pub(super) const fn broken(&self, before: FailureKind) -> FailureKind {
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
