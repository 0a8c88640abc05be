//! The body of an answer: frames out of bytes.

mod plain;
mod reading;
mod stream;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use tower_llm_layers::Frame as _;

use crate::{
    ChatFrame, Error, FailureKind,
    assemble::Gathered,
    frame::FrameKind,
    response::ChunkProbe,
    transport::{InFlight, SentKey},
};

pub use self::plain::Completeness;
use self::{plain::PlainBody, stream::StreamBody, wire::Wire};

/// The body of an answer.
///
/// Yields [`ChatFrame`]s as they come. It never ends as if whole when the upstream's stream was cut, garbled or empty: then the
/// last item is an error. Dropping it closes the upstream connection.
pub struct ChatBody {
    kind: Kind,
    /// What no error may say.
    key: SentKey,
    /// The client's place, for as long as its connection is in use.
    in_flight: Option<InFlight>,
}

enum Kind {
    Stream(Box<StreamBody>),
    Plain(PlainBody),
    Frames(VecDeque<Result<ChatFrame, Error>>),
}

impl ChatBody {
    pub(crate) fn of_response(
        body: reqwest::Body,
        headers: &HeaderMap,
        completeness: Completeness,
        is_stream: bool,
        key: SentKey,
    ) -> Self {
        Self {
            key,
            ..Self::reading(Wire::Reqwest(body), headers.clone(), completeness, is_stream)
        }
    }

    fn reading(wire: Wire, headers: HeaderMap, completeness: Completeness, is_stream: bool) -> Self {
        Self::of(if is_stream {
            Kind::Stream(Box::new(StreamBody::new(wire, headers)))
        } else {
            Kind::Plain(PlainBody::new(wire, headers, completeness))
        })
    }

    /// Reads a stream of server-sent events from bytes of your own transport.
    pub fn from_event_stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(Wire::boxed(body), HeaderMap::new(), Completeness::Chat, true)
    }

    /// Reads a plain answer from bytes of your own transport.
    pub fn from_plain<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(Wire::boxed(body), HeaderMap::new(), Completeness::Chat, false)
    }

    /// Frames that are there already.
    pub fn from_frames(frames: impl IntoIterator<Item = Result<ChatFrame, Error>>) -> Self {
        Self::of(Kind::Frames(frames.into_iter().collect()))
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            key: SentKey::default(),
            in_flight: None,
        }
    }

    /// The same, with the place that it has on a client.
    pub(crate) fn holding(mut self, in_flight: Option<InFlight>) -> Self {
        self.in_flight = in_flight;
        self
    }
}

/// The plain answer that chunks make up, judged like one that came so.
pub(crate) fn put_together(gathered: Gathered, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let bytes = gathered.whole()?;
    whole_answer(bytes.clone(), headers).map_err(|error| {
        let probe = ChunkProbe::read(&bytes).ok();
        error.after_text(probe.and_then(|probe| probe.text()).unwrap_or_default())
    })
}

fn whole_answer(bytes: Bytes, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let reading = reading::read(bytes, FrameKind::Answer, headers)?;
    reading.refuse_withheld(headers)?;
    let frame = reading.frame;
    if frame.stage().begins_answer() {
        Ok(frame)
    } else {
        Err(Error::new(FailureKind::EmptyResponse, "the answer is empty"))
    }
}

impl Default for ChatBody {
    fn default() -> Self {
        Self::from_frames([])
    }
}

impl fmt::Debug for ChatBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            Kind::Stream(_) => "ChatBody(stream)",
            Kind::Plain(_) => "ChatBody(plain)",
            Kind::Frames(_) => "ChatBody(frames)",
        })
    }
}

impl Body for ChatBody {
    type Data = ChatFrame;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = match &mut self.kind {
            Kind::Stream(stream) => stream.poll_next(cx),
            Kind::Plain(plain) => plain.poll_next(cx),
            Kind::Frames(frames) => Poll::Ready(frames.pop_front()),
        };
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.in_flight = None;
        }
        frame.map_ok(Frame::data).map_err(|error| error.without(&self.key))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Stream(stream) => stream.is_ended(),
            Kind::Plain(plain) => plain.is_ended(),
            Kind::Frames(frames) => frames.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
