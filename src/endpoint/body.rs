use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::Extensions;
use http_body::{Body, Frame, SizeHint};

use tower_llm_layers::{AttemptLog, Resumed, Resumption};

use super::error::Problem;
use crate::{ChatFrame, Error, body::as_chunk, frame::FrameKind, held::HeldBody, stack::StackBody};

/// The body of an endpoint's response: one JSON document, or server-sent events.
///
/// An interrupted stream ends with an error event and without `[DONE]`, so that no client takes it for whole. If it was resumed, a comment
/// says so, which OpenAI's clients ignore. At the call's deadline everything that the call holds upstream is released, also if the client
/// does not read.
///
/// `Send + Sync`; the default is an empty one, for layers around the endpoint that answer in its place.
#[derive(Default)]
pub struct EndpointBody(Kind);

#[derive(Default)]
enum Kind {
    Whole(Option<Bytes>),
    Events(HeldBody<StackBody>, Marks),
    #[default]
    Ended,
}

/// Where the answer was resumed, how much of that was sent as comments, and the attempts of the call.
struct Marks {
    resumed: Option<Resumed>,
    told: usize,
    attempts: Option<AttemptLog>,
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
    pub(super) fn events<B>(frames: B, head: &Extensions) -> Self
    where
        B: Body<Data = ChatFrame, Error = Error> + Send + 'static,
    {
        let marks = Marks {
            resumed: head.get().cloned(),
            told: 0,
            attempts: head.get().cloned(),
        };
        Self(Kind::Events(HeldBody::new(StackBody::new(frames), head), marks))
    }
}

/// One event on the wire.
fn event(data: &[u8]) -> Bytes {
    let mut event = BytesMut::with_capacity(data.len() + 8);
    event.put_slice(b"data: ");
    event.put_slice(data);
    event.put_slice(b"\n\n");
    event.freeze()
}

fn frame_event(frame: &ChatFrame) -> Bytes {
    match frame.kind() {
        FrameKind::KeepAlive => Bytes::from_static(b": keep-alive\n\n"),
        // JSON has no raw line breaks outside white space, and there a space is equivalent.
        FrameKind::Chunk if memchr::memchr2(b'\n', b'\r', frame.bytes()).is_some() => {
            let line: Vec<u8> = frame
                .bytes()
                .iter()
                .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
                .collect();
            event(&line)
        }
        FrameKind::Chunk => event(frame.bytes()),
        FrameKind::Answer => event(&as_chunk(frame.bytes())),
    }
}

impl Body for EndpointBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.0 {
            Kind::Whole(bytes) => bytes.take(),
            Kind::Ended => None,
            Kind::Events(frames, marks) => loop {
                match ready!(frames.poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        if let Ok(frame) = frame.into_data() {
                            let event = frame_event(&frame);
                            break Some(match marks.comments() {
                                Some(comments) => [comments, event].concat().into(),
                                None => event,
                            });
                        }
                    }
                    Some(Err(error)) => {
                        let error = error.after_attempts(marks.attempts.as_ref());
                        let attempts = error.attempts().map(AttemptLog::sent);
                        tracing::warn!(kind = error.kind().as_str(), attempts, "stream interrupted");
                        let problem = Problem::of_failure(&error);
                        self.0 = Kind::Ended;
                        break Some(event(&serde_json::to_vec(problem.envelope()).unwrap_or_default()));
                    }
                    None => {
                        self.0 = Kind::Ended;
                        break Some(Bytes::from_static(b"data: [DONE]\n\n"));
                    }
                }
            },
        };
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Kind::Ended | Kind::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Events(..) => SizeHint::default(),
            Kind::Ended => SizeHint::with_exact(0),
        }
    }
}

impl fmt::Debug for EndpointBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Whole(_) => "EndpointBody(whole)",
            Kind::Events(..) => "EndpointBody(events)",
            Kind::Ended => "EndpointBody(ended)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::comment_of;

    #[test]
    fn no_name_ends_a_comment() {
        assert_eq!(comment_of("by a\r\n\ndata: [DONE]"), ": by a   data: [DONE]\n\n");
    }
}
