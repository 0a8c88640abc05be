//! The body of an endpoint's response.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    mem,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use http::Extensions;
use http_body::{Body, Frame, SizeHint};
use tokio::{task::yield_now, time::Instant};

use tower_llm_layers::{AttemptLog, Candidate, Resumed, Resumption};

use super::{
    envelope::Shape,
    events::EventWriter,
    problem::Problem,
    waiting::{Next, Waiting},
};
use crate::{ChatFrame, Error, held::HeldBody, stack::StackBody};

/// The body of an endpoint's response: one JSON document, or server-sent events.
///
/// An interrupted stream ends with an event that the SDKs of its API raise as an error, and without `[DONE]`, so that no client takes it
/// for whole. If it was resumed, a comment says so, which clients ignore. At the call's deadline everything that the call holds upstream is released, also if the client
/// does not read.
///
/// `Send + Sync`; the default is an empty one, for layers around the endpoint that answer in its place.
#[derive(Default)]
pub struct EndpointBody(Kind);

#[derive(Default)]
enum Kind {
    Whole(Option<Bytes>),
    /// The answer has not begun.
    Waiting(Box<Waiting>),
    Events(Events),
    #[default]
    Ended,
}

/// A stream on its way out.
pub(super) struct Events {
    frames: HeldBody<StackBody>,
    marks: Marks,
    writer: EventWriter,
    /// What goes out next.
    out: BytesMut,
    /// When the last piece went out.
    sent: Option<Instant>,
    /// For which frames are held: begun with the first of them.
    turn: Option<Arc<Turn>>,
}

/// A turn of the scheduler: it is over when what was ready to run has run. A server may poll a body several times within one.
struct Turn {
    is_over: AtomicBool,
    task: Waker,
}

impl Turn {
    fn begin(task: &Waker) -> Arc<Self> {
        let turn = Arc::new(Self {
            is_over: AtomicBool::new(false),
            task: task.clone(),
        });
        let waker = Waker::from(Arc::clone(&turn));
        let yielding = pin!(yield_now());
        // The waker is left with the scheduler; without one it is woken at once.
        let _ = yielding.poll(&mut Context::from_waker(&waker)).is_pending();
        turn
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// So many bytes go out without a wait for more: about what a connection takes in one write.
const ENOUGH: usize = 16 * 1024;
/// What a few frames take.
const A_FEW: usize = ENOUGH / 4;
/// What an event takes beside its data, at most as a rule.
const LINES: usize = 64;
/// A frame that comes so soon after the last piece may not be the last of them.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Where the answer was resumed, how much of that was sent as comments, and the attempts of the call.
struct Marks {
    resumed: Option<Resumed>,
    told: usize,
    attempts: Option<AttemptLog>,
    /// The candidate that began the answer.
    answered: Option<Candidate>,
}

impl Marks {
    /// What is new, as comments.
    fn comments(&mut self) -> Option<Bytes> {
        let places = self.resumed.as_ref()?.places_after(self.told);
        self.told += places.len();
        (!places.is_empty()).then(|| places.iter().map(comment).collect::<String>().into())
    }
}

fn comment(place: &Resumption) -> String {
    let mut told = format!("resumed after {} bytes ({})", place.after, place.reason);
    if let Some(by) = &place.by {
        told += &format!(", by {}", by.model());
    }
    if let Some(mark) = &place.degraded {
        told += &format!("; degraded: {mark}");
    }
    comment_of(&told)
}

/// On one line, whatever a model is called.
fn comment_of(text: &str) -> String {
    format!(": {}\n\n", text.replace(char::is_control, " "))
}

impl EndpointBody {
    pub(super) const fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes)))
    }

    /// The frames of a response with these extensions.
    pub(super) fn events<B>(frames: B, head: &Extensions, shape: Shape) -> Self
    where
        B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
    {
        Self(Kind::Events(Events::new(frames, head, shape)))
    }

    /// Signs of life until the answer begins, and then its events.
    pub(super) fn waiting(waiting: Waiting) -> Self {
        Self(Kind::Waiting(Box::new(waiting)))
    }

    /// Its length in bytes, and nothing else of it: for HEAD.
    pub(super) fn into_length(self) -> Option<u64> {
        match self.0 {
            Kind::Whole(bytes) => Some(bytes.map_or(0, |bytes| bytes.len() as u64)),
            Kind::Ended => Some(0),
            Kind::Waiting(_) | Kind::Events(_) => None,
        }
    }
}

impl Events {
    /// The frames of a response with these extensions.
    pub(super) fn new<B>(frames: B, head: &Extensions, shape: Shape) -> Self
    where
        B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
    {
        let attempts: Option<AttemptLog> = head.get().cloned();
        let marks = Marks {
            resumed: head.get().cloned(),
            told: 0,
            answered: attempts.as_ref().and_then(AttemptLog::answered_by),
            attempts,
        };
        Self {
            frames: HeldBody::new(StackBody::new(frames), head),
            marks,
            writer: EventWriter::new(shape),
            out: BytesMut::new(),
            sent: None,
            turn: None,
        }
    }

    /// The next bytes to send, and whether they are the last.
    ///
    /// Each piece costs whatever sends it a write of its own. So frames that follow each other at once go out together: the first of them is held
    /// for one turn of the scheduler, in which the connection may bring more. The first frame of all, and one that comes later, goes out at once.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<(Option<Bytes>, bool)> {
        loop {
            match self.frames.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(frame) = frame.into_data() else { continue };
                    let is_first = self.out.is_empty();
                    if !is_first {
                        // There is more than one: it grows in two steps.
                        let size = self.out.len() + frame.bytes().len() + LINES;
                        if size > self.out.capacity() {
                            let whole = if size > A_FEW { ENOUGH + A_FEW } else { A_FEW };
                            self.out.reserve(whole.max(size) - self.out.len());
                        }
                    }
                    if let Some(comments) = self.marks.comments() {
                        self.out.put_slice(&comments);
                    }
                    self.writer.frame(&frame, &mut self.out);
                    // A chunk that is left out.
                    if self.out.is_empty() {
                        continue;
                    }
                    let is_lone = is_first && self.sent.is_none_or(|sent| sent.elapsed() >= AT_ONCE);
                    if is_lone || self.out.len() >= ENOUGH {
                        return Poll::Ready((self.send(), false));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.interrupted(error);
                    return Poll::Ready((self.send(), true));
                }
                Poll::Ready(None) => {
                    let model = self.marks.answered.as_ref().map(Candidate::model).unwrap_or_default();
                    self.writer.end(model, &mut self.out);
                    return Poll::Ready((self.send(), true));
                }
                Poll::Pending if self.out.is_empty() => return Poll::Pending,
                Poll::Pending => {
                    let task = cx.waker();
                    match self.turn.as_ref().filter(|turn| turn.task.will_wake(task)) {
                        Some(turn) if turn.is_over.load(Ordering::Acquire) => {
                            return Poll::Ready((self.send(), false));
                        }
                        Some(_) => {}
                        None => self.turn = Some(Turn::begin(task)),
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn send(&mut self) -> Option<Bytes> {
        self.sent = Some(Instant::now());
        self.turn = None;
        let out = mem::take(&mut self.out);
        (!out.is_empty()).then(|| out.freeze())
    }

    fn interrupted(&mut self, error: Error) {
        let error = error.after_attempts(self.marks.attempts.as_ref());
        let attempts = error.attempts().map(AttemptLog::sent);
        tracing::warn!(kind = error.kind().as_str(), attempts, "stream interrupted");
        let model = self.marks.answered.as_ref().map(Candidate::model).unwrap_or_default();
        self.writer.failure(&Problem::of_failure(&error), model, &mut self.out);
    }
}

impl Body for EndpointBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Kind::Waiting(waiting) = &mut self.0 {
            match ready!(waiting.poll_next(cx)) {
                Next::SignOfLife(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Next::Failed(bytes) => self.0 = Kind::Whole(Some(bytes)),
                Next::Begun(late, events) => {
                    self.0 = Kind::Events(events);
                    if !late.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(late))));
                    }
                }
            }
        }
        let bytes = match &mut self.0 {
            // Not any more.
            Kind::Waiting(_) => None,
            Kind::Whole(bytes) => bytes.take(),
            Kind::Ended => None,
            Kind::Events(events) => {
                let (bytes, is_last) = ready!(events.poll_events(cx));
                if is_last {
                    self.0 = Kind::Ended;
                }
                bytes
            }
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Ended | Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Waiting(..) | Kind::Events(..) => SizeHint::default(),
            Kind::Ended => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for EndpointBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Whole(_) => "EndpointBody(whole)",
            Kind::Waiting(..) => "EndpointBody(waiting)",
            Kind::Events(..) => "EndpointBody(events)",
            Kind::Ended => "EndpointBody(ended)",
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;
    use crate::{Api, ChatBody, endpoint::envelope::Envelope};

    #[test]
    fn no_name_ends_a_comment() {
        assert_eq!(comment_of("by a\r\n\ndata: [DONE]"), ": by a   data: [DONE]\n\n");
    }

    fn chunk(text: &str, finish: &str) -> Bytes {
        format!(
            "data: {{\"id\":\"gen-1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
        )
        .into()
    }

    #[tokio::test(start_paused = true)]
    async fn frames_that_follow_at_once_go_out_together_and_a_late_one_by_itself() {
        let at_once = stream::iter(["a", "b", "c"].map(|text| chunk(text, "null")));
        let late = stream::once(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            chunk("d", "\"stop\"")
        });
        let end = stream::once(async { Bytes::from_static(b"data: [DONE]\n\n") });
        let bytes = at_once.chain(late).chain(end);
        let frames = ChatBody::from_event_stream(StreamBody::new(
            bytes.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes))),
        ));
        let shape = Shape {
            api: Api::Chat,
            envelope: Envelope::OpenAi,
        };
        let mut body = EndpointBody::events(frames, &Extensions::new(), shape);
        let (begun, mut pieces) = (Instant::now(), Vec::new());
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.into_data().unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            pieces.push((begun.elapsed().as_secs(), text.matches("data: ").count(), text));
        }
        let counts: Vec<_> = pieces.iter().map(|(at, events, _)| (*at, *events)).collect();
        assert_eq!(counts, [(0, 1), (0, 2), (1, 1), (1, 1)], "{pieces:?}");
        let whole: String = pieces.into_iter().map(|(_, _, text)| text).collect();
        let told: Vec<&str> = whole
            .split("\"content\":\"")
            .skip(1)
            .filter_map(|rest| rest.get(..1))
            .collect();
        assert_eq!(told, ["a", "b", "c", "d"]);
        assert!(whole.ends_with("data: [DONE]\n\n"));
    }
}
