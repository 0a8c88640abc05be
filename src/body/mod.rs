//! The body of an answer: frames out of bytes.

mod assembled;
mod bare;
mod event;
mod limits;
mod part;
mod plain;
mod progress;
mod reading;
mod ready;
#[cfg(test)]
mod repeated_tests;
mod stream;
#[cfg(test)]
mod tests;
mod typed;
mod typed_reading;
#[cfg(test)]
mod typed_tests;
mod unread;
mod wire;

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
    Api, ChatFrame, Error, assemble::Gathered, classify::headers_of_errors, exchange_watch::ExchangeWatch,
    in_flight::InFlight, sent_key::SentKey,
};

use openrouter_wire::embeddings::VectorForm;

pub(crate) use self::limits::ReadLimits;
use self::{
    assembled::AssembledBody,
    plain::PlainBody,
    reading::Failed,
    stream::StreamBody,
    unread::{Form, Unread},
    wire::Wire,
};

/// The body of an answer.
///
/// Yields [`ChatFrame`]s as they come. It never ends as if whole when the upstream's stream was cut, garbled or empty: then the
/// last item is an error. Dropping it closes the upstream connection.
///
/// What a response is, its first bytes decide: a stream of events, or one document. The `Content-Type` counts only if they do not decide.
pub struct ChatBody {
    kind: Kind,
    /// What no error may say, and no name of a frame.
    key: SentKey,
    /// The client's place, for as long as its connection is in use.
    in_flight: Option<InFlight>,
    /// Whether its upstream charges nothing for an answer without content.
    no_charge_on_failure: bool,
    /// Whether only the stack has requested the usage of this stream.
    adds_usage: bool,
    watch: Option<Box<dyn ExchangeWatch>>,
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
    /// The API that is answered; `None` is any document.
    pub(crate) api: Option<Api>,
    /// Whether a stream was requested: one that was not is assembled.
    pub(crate) wants_stream: bool,
    pub(crate) limits: ReadLimits,
    /// Where each piece of a plain answer is noted.
    pub(crate) line: Option<AttemptHandle>,
    /// The form in which vectors were requested.
    pub(crate) vectors: Option<VectorForm>,
    /// For how many inputs vectors were requested, if that is known.
    pub(crate) inputs: Option<usize>,
    headers: HeaderMap,
}

impl Reader {
    pub(crate) fn new(api: Option<Api>, wants_stream: bool, limits: ReadLimits) -> Self {
        Self {
            api,
            wants_stream,
            limits,
            line: None,
            vectors: None,
            inputs: None,
            headers: HeaderMap::new(),
        }
    }

    fn read(self, wire: Wire, form: Form) -> Kind {
        let is_document = matches!(self.api, None | Some(Api::Embeddings));
        if form == Form::Document || is_document {
            let plain = PlainBody::new(wire, self.headers, self.api);
            let plain = plain.noting(self.line).with_vectors(self.vectors);
            return Kind::Plain(Box::new(plain.for_inputs(self.inputs)));
        }
        let stream = Box::new(StreamBody::new(
            wire,
            self.headers,
            self.api.unwrap_or(Api::Chat),
            self.limits,
        ));
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
        reader.headers = headers_of_errors(&parts.headers);
        let unread = Unread::new(wire, unread::declared(&parts.headers));
        let kind = Kind::Unread(Box::new((unread, reader)));
        Self { key, ..Self::of(kind) }
    }

    fn reading(api: Api, wire: Wire, form: Form) -> Self {
        let reader = Reader::new(Some(api), true, ReadLimits::default());
        Self::of(reader.read(wire, form))
    }

    /// Reads a chat's stream of server-sent events from bytes of your own transport.
    pub fn from_event_stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::from_event_stream_of(Api::Chat, body)
    }

    /// Reads a stream of this API from bytes of your own transport.
    pub fn from_event_stream_of<B>(api: Api, body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(api, Wire::boxed(body), Form::Events)
    }

    /// Reads a chat's plain answer from bytes of your own transport.
    pub fn from_plain<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::from_plain_of(Api::Chat, body)
    }

    /// Reads a plain answer of this API from bytes of your own transport.
    pub fn from_plain_of<B>(api: Api, body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::reading(api, Wire::boxed(body), Form::Document)
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
            no_charge_on_failure: false,
            adds_usage: false,
            watch: None,
        }
    }

    /// The same of an upstream that charges nothing for an answer without content, if this one is.
    pub(crate) fn no_charge_on_failure(mut self, no_charge_on_failure: bool) -> Self {
        self.no_charge_on_failure = no_charge_on_failure;
        self
    }

    /// The same, if so of a stream whose usage only the stack has requested.
    pub(crate) fn adding_usage(mut self, adds_usage: bool) -> Self {
        self.adds_usage = adds_usage;
        self
    }

    /// The same, with the place that it has on a client.
    pub(crate) fn holding(mut self, in_flight: Option<InFlight>) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// The same, with what watches the exchange.
    pub(crate) fn watched(mut self, watch: Option<Box<dyn ExchangeWatch>>) -> Self {
        self.watch = watch;
        self
    }

    /// Tells the watch of bytes of a plain answer, which is one frame at its end.
    fn observe_piece(&mut self) {
        if let (Some(watch), Kind::Plain(plain)) = (&mut self.watch, &mut self.kind) {
            let bytes = plain.take_received();
            if bytes > 0 {
                watch.piece(bytes);
            }
        }
    }

    /// Tells the watch of this frame, or of the end.
    fn observe(&mut self, frame: Option<&Result<ChatFrame, Error>>) {
        let is_ended = self.watch.is_some() && self.is_end_stream();
        let Some(watch) = &mut self.watch else { return };
        match frame {
            Some(Ok(frame)) => {
                watch.frame(frame);
                // A reader may stop at the last frame, and never poll for the end.
                if is_ended {
                    watch.ended();
                }
            }
            Some(Err(error)) => watch.failed(error),
            None => watch.ended(),
        }
    }
}

/// The plain answer that chunks make up, checked like one that came plain.
pub(crate) fn put_together(gathered: Gathered, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let (api, text, hidden) = (gathered.api(), gathered.text(), gathered.hidden_names());
    let whole = whole_answer(api, gathered.whole(), headers);
    whole
        .map(|frame| frame.hiding(hidden))
        .map_err(|error| error.after_text(text))
}

fn whole_answer(api: Api, bytes: Bytes, headers: &HeaderMap) -> Result<ChatFrame, Error> {
    let frame = reading::answer(Some(api), bytes, headers).map_err(|Failed { error, .. }| *error)?;
    if frame.stage().begins_answer() {
        Ok(frame)
    } else {
        Err(reading::empty(api, frame.bytes(), headers))
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
        let no_charge_on_failure = self.no_charge_on_failure;
        let mut frame = frame.map_err(|error| error.without(&self.key).no_charge_on_failure(no_charge_on_failure));
        if let Poll::Ready(Some(Ok(frame))) = &mut frame {
            frame.hide(&self.key);
            if self.adds_usage {
                frame.mark_added_usage();
            }
        }
        match &frame {
            Poll::Ready(frame) => self.observe(frame.as_ref()),
            Poll::Pending => self.observe_piece(),
        }
        frame.map_ok(Frame::data)
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
