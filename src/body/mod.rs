//! The body of an answer: frames out of bytes.

mod assembled;
mod encoding;
mod event;
mod limits;
mod plain;
mod progress;
mod reading;
mod stream;
#[cfg(test)]
mod tests;
mod unread;
mod wire;
mod words;

use std::{
    collections::VecDeque,
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, response::Parts};
use http_body::{Body, Frame, SizeHint};

use tower_llm_layers::{AttemptHandle, Frame as _};

use crate::{
    ChatFrame, Error,
    assemble::Gathered,
    response::ChunkProbe,
    transport::{InFlight, SentKey},
};

pub use self::plain::Completeness;
use self::{
    assembled::AssembledBody,
    plain::PlainBody,
    reading::Failed,
    stream::StreamBody,
    unread::{Form, Unread},
    wire::Wire,
};
pub(crate) use self::{
    encoding::{decoded, is_zlib},
    limits::ReadLimits,
    words::{event_data, first_words, is_page},
};

/// The body of an answer.
///
/// Yields [`ChatFrame`]s as they come. It never ends as if whole when the upstream's stream was cut, garbled or empty: then the
/// last item is an error. Dropping it closes the upstream connection.
///
/// What a response is, its first bytes decide: a stream of events, or one document. The `Content-Type` counts only if they do not decide.
pub struct ChatBody {
    kind: Kind,
    /// What no error may say.
    key: SentKey,
    /// The client's place, for as long as its connection is in use.
    in_flight: Option<InFlight>,
}

enum Kind {
    /// Its first bytes are yet to come; then it is one of the next three.
    Unread(Box<(Unread, Reader)>),
    Stream(Box<StreamBody>),
    Plain(Box<PlainBody>),
    Assembled(Box<AssembledBody>),
    Frames(VecDeque<Result<ChatFrame, Error>>),
}

/// How a body is read.
pub(crate) struct Reader {
    pub(crate) completeness: Completeness,
    /// Whether a stream was requested: one that was not is assembled.
    pub(crate) wants_stream: bool,
    pub(crate) limits: ReadLimits,
    /// Where each piece of a plain answer is noted.
    pub(crate) line: Option<AttemptHandle>,
    headers: HeaderMap,
}

impl Reader {
    pub(crate) fn new(completeness: Completeness, wants_stream: bool, limits: ReadLimits) -> Self {
        Self {
            completeness,
            wants_stream,
            limits,
            line: None,
            headers: HeaderMap::new(),
        }
    }

    fn read(self, wire: Wire, form: Form) -> Kind {
        if form == Form::Document || self.completeness == Completeness::Json {
            let plain = PlainBody::new(wire, self.headers, self.completeness);
            return Kind::Plain(Box::new(plain.noting(self.line)));
        }
        let stream = Box::new(StreamBody::new(wire, self.headers, self.limits));
        if self.wants_stream {
            Kind::Stream(stream)
        } else {
            Kind::Assembled(Box::new(AssembledBody::new(stream)))
        }
    }
}

impl ChatBody {
    pub(crate) fn of_response(body: reqwest::Body, parts: &Parts, mut reader: Reader, key: SentKey) -> Self {
        let wire = Wire::of_response(body, parts.version, &parts.headers);
        reader.headers = parts.headers.clone();
        let unread = Unread::new(wire, unread::declared(&parts.headers));
        let kind = Kind::Unread(Box::new((unread, reader)));
        Self { key, ..Self::of(kind) }
    }

    fn reading(wire: Wire, form: Form) -> Self {
        let reader = Reader::new(Completeness::Chat, true, ReadLimits::default());
        Self::of(reader.read(wire, form))
    }

    /// Reads a stream of server-sent events from bytes of your own transport.
    pub fn from_event_stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(Wire::boxed(body), Form::Events)
    }

    /// Reads a plain answer from bytes of your own transport.
    pub fn from_plain<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(Wire::boxed(body), Form::Document)
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

/// The plain answer that chunks make up, checked like one that came plain.
pub(crate) fn put_together(gathered: Gathered, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let bytes = gathered.whole()?;
    whole_answer(bytes.clone(), headers).map_err(|error| {
        let probe = ChunkProbe::read(&bytes).ok();
        error.after_text(probe.and_then(|probe| probe.text()).unwrap_or_default())
    })
}

fn whole_answer(bytes: Bytes, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let frame = reading::answer(bytes, headers).map_err(|Failed { error, .. }| *error)?;
    if frame.stage().begins_answer() {
        Ok(frame)
    } else {
        Err(reading::empty())
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
            Kind::Unread(_) => "ChatBody(unread)",
            Kind::Stream(_) => "ChatBody(stream)",
            Kind::Assembled(_) => "ChatBody(assembled)",
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
        let frame = loop {
            match &mut self.kind {
                Kind::Unread(unread) => {
                    let form = ready!(unread.0.poll_form(cx));
                    if let Kind::Unread(unread) = mem::replace(&mut self.kind, Kind::Frames(VecDeque::new())) {
                        let (unread, reader) = *unread;
                        self.kind = reader.read(unread.wire, form);
                    }
                }
                Kind::Stream(stream) => break stream.poll_next(cx),
                Kind::Plain(plain) => break plain.poll_next(cx),
                Kind::Assembled(assembled) => break assembled.poll_next(cx),
                Kind::Frames(frames) => break Poll::Ready(frames.pop_front()),
            }
        };
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.in_flight = None;
        }
        frame.map_ok(Frame::data).map_err(|error| error.without(&self.key))
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Unread(_) => false,
            Kind::Assembled(assembled) => assembled.is_ended(),
            Kind::Stream(stream) => stream.is_ended(),
            Kind::Plain(plain) => plain.is_ended(),
            Kind::Frames(frames) => frames.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
