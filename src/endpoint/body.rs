//! The body of an endpoint's response.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{BufMut, Bytes, BytesMut};
use http::Extensions;
use http_body::{Body, Frame, SizeHint};

use tower_llm_layers::{AttemptLog, Candidate, Resumed, Resumption};

use super::{envelope::Shape, events::EventWriter, problem::Problem};
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
    Events(Events),
    #[default]
    Ended,
}

/// A stream on its way out.
struct Events {
    frames: HeldBody<StackBody>,
    marks: Marks,
    writer: EventWriter,
    /// Whether the last frame was there without a wait.
    is_busy: bool,
}

/// So many bytes go out at once, and no more are waited for: about what a connection takes in one write.
const ENOUGH: usize = 16 * 1024;

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
        let attempts: Option<AttemptLog> = head.get().cloned();
        let marks = Marks {
            resumed: head.get().cloned(),
            told: 0,
            answered: attempts.as_ref().and_then(AttemptLog::answered_by),
            attempts,
        };
        Self(Kind::Events(Events {
            frames: HeldBody::new(StackBody::new(frames), head),
            marks,
            writer: EventWriter::new(shape),
            is_busy: false,
        }))
    }

    /// Its length in bytes, and nothing else of it: for HEAD.
    pub(super) fn into_length(self) -> Option<u64> {
        match self.0 {
            Kind::Whole(bytes) => Some(bytes.map_or(0, |bytes| bytes.len() as u64)),
            Kind::Ended => Some(0),
            Kind::Events(_) => None,
        }
    }
}

impl Events {
    /// The next bytes to send, and whether they are the last.
    ///
    /// While frames are ready faster than they are sent, several go out at once: each piece costs whatever sends it a write of its own. A frame
    /// that had to be waited for goes out by itself, and nothing is asked whether there is another.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<(Option<Bytes>, bool)> {
        let enough = if self.is_busy { ENOUGH } else { 1 };
        let mut out = BytesMut::new();
        while out.len() < enough {
            match self.frames.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.is_busy = true;
                    let Ok(frame) = frame.into_data() else { continue };
                    if let Some(comments) = self.marks.comments() {
                        out.put_slice(&comments);
                    }
                    if !out.is_empty() {
                        // There is more than one: it grows in few steps.
                        out.reserve(ENOUGH / 4);
                    }
                    self.writer.frame(&frame, &mut out);
                }
                Poll::Ready(Some(Err(error))) => {
                    self.interrupted(error, &mut out);
                    return Poll::Ready((Some(out.freeze()), true));
                }
                Poll::Ready(None) => {
                    out.put_slice(self.writer.end().unwrap_or_default());
                    return Poll::Ready(((!out.is_empty()).then(|| out.freeze()), true));
                }
                Poll::Pending => {
                    self.is_busy = false;
                    if out.is_empty() {
                        return Poll::Pending;
                    }
                    break;
                }
            }
        }
        Poll::Ready((Some(out.freeze()), false))
    }

    fn interrupted(&self, error: Error, out: &mut BytesMut) {
        let error = error.after_attempts(self.marks.attempts.as_ref());
        let attempts = error.attempts().map(AttemptLog::sent);
        tracing::warn!(kind = error.kind().as_str(), attempts, "stream interrupted");
        let model = self.marks.answered.as_ref().map(Candidate::model).unwrap_or_default();
        self.writer.failure(&Problem::of_failure(&error), model, out);
    }
}

impl Body for EndpointBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match &mut self.0 {
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
