//! The shapes of the wire: one folder for each API, which reads its requests and writes its answers.

pub(crate) mod chat;
mod embeddings;
pub(crate) mod error;
pub(crate) mod inside;
pub(crate) mod messages;
mod odd;
mod refusals;
pub(crate) mod responses;
mod shape;
mod usage;

use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use odd::Odd;
pub(crate) use shape::of as shape_of;

use crate::answer::{Answer, Piece, Shown};
use crate::fault::Fault;
use crate::request::Request;
use crate::track::Track;

/// One of the APIs that generate something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/chat/completions`, and the envelope of every call that generates nothing.
    #[default]
    Chat,
    /// `/responses`.
    Responses,
    /// `/messages`.
    Messages,
    /// `/embeddings`.
    Embeddings,
}

/// What all parts of an answer have in common.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The id of the generation.
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) tier: &'static str,
    pub(crate) metadata: Option<Value>,
    pub(crate) delay: Duration,
    /// The seed of every choice.
    pub(crate) seed: u64,
    /// The request as it came.
    pub(crate) asked: Value,
    pub(crate) odd: Odd,
}

impl Head {
    /// An id of this kind, made of the generation's.
    pub(crate) fn id_as(&self, kind: &str) -> String {
        let tail = self.id.rsplit('-').next().unwrap_or_default();
        format!("{kind}_{tail}")
    }
}

/// Writes a streamed answer in the events of one API.
pub(crate) trait Writer {
    /// What comes before the first piece.
    fn begin(&mut self, track: &mut Track);
    /// A piece without content.
    fn empty(&mut self, track: &mut Track);
    /// A piece.
    fn piece(&mut self, piece: &Piece, track: &mut Track);
    /// What ends the text, but not the answer: everything that was begun is whole.
    fn close(&mut self, track: &mut Track);
    /// Finish and usage.
    fn end(&mut self, track: &mut Track);
    /// What follows the end of the stream.
    fn after(&mut self, track: &mut Track);
    /// A stream that is something else than an answer, if the clause asks for one.
    fn instead(&mut self, fault: &Fault, track: &mut Track) -> bool;
    /// The error that ends the stream after so many pieces, in the API's own shape.
    fn error(&mut self, code: &str, pieces: u64, track: &mut Track);
    /// An event that is no JSON.
    fn broken(&self) -> &'static [u8];
    /// Whether `[DONE]` ends a stream.
    fn has_done(&self) -> bool;
}

impl Api {
    /// The API of a path without its prefix.
    pub(crate) fn of(place: &str) -> Option<Self> {
        match place {
            "/chat/completions" => Some(Self::Chat),
            "/responses" => Some(Self::Responses),
            "/messages" => Some(Self::Messages),
            "/embeddings" => Some(Self::Embeddings),
            _ => None,
        }
    }

    /// Whether an error at this path has the shape of Messages.
    pub(crate) fn of_errors(place: &str) -> Self {
        let is_messages = place == "/messages" || place.starts_with("/messages/");
        Self::of(place).unwrap_or(if is_messages { Self::Messages } else { Self::Chat })
    }

    /// The name of its generations at `/generation`.
    pub(crate) fn generation_type(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            _ => "completions",
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in the words of the wire.
    pub(crate) fn read(self, body: &[u8]) -> Result<Request, String> {
        match self {
            Self::Chat => parse(body),
            Self::Responses => responses::read(body),
            Self::Messages => messages::read(body),
            Self::Embeddings => embeddings::read(body),
        }
    }

    /// What a request that says nothing lacks.
    pub(crate) fn missing(self, request: &Request) -> Option<&'static str> {
        if !request.messages.is_empty() {
            return None;
        }
        match self {
            Self::Chat => Some("Input required: specify \"prompt\" or \"messages\""),
            Self::Responses => Some("Input required: specify \"input\""),
            Self::Messages => Some("messages: at least one message is required"),
            Self::Embeddings => None,
        }
    }

    /// An error before the answer, given in the envelope of chat.
    pub(crate) fn envelope(self, json: Value, status: u16) -> Value {
        match self {
            Self::Messages => messages::envelope(&json, status),
            _ => json,
        }
    }

    /// A plain answer.
    pub(crate) fn plain(self, head: &Head, shown: &Shown<'_>, answer: &Answer, faults: &[Fault]) -> Vec<u8> {
        if let Some(failed) = &shown.failed {
            let inside = inside::Inside::new(&failed.code, faults);
            if let Some(text) = shape::of(faults).and_then(|shape| shape::plain(shape, inside.status, &inside.message))
            {
                return text.into_bytes();
            }
        }
        let json = match self {
            Self::Responses => responses::plain(head, shown, answer, faults),
            Self::Messages => messages::plain(head, shown, answer, faults),
            Self::Embeddings => embeddings::plain(head, shown, answer, faults),
            Self::Chat => chat::plain(head, shown, answer, faults),
        };
        head.odd.apply(json, true).into_bytes()
    }

    /// The writer of a streamed answer.
    pub(crate) fn writer<'a>(self, head: &'a Head, answer: &'a Answer, faults: &'a [Fault]) -> Box<dyn Writer + 'a> {
        match self {
            Self::Responses => Box::new(responses::Stream::new(head, answer, faults)),
            Self::Messages => Box::new(messages::Stream::new(head, answer, faults)),
            _ => Box::new(chat::Stream::new(head, answer, faults)),
        }
    }
}

/// An error with a status, given in the envelope of chat, in the shape of another server if a clause asks for one.
pub(crate) fn error_of_another(json: &Value, status: u16, faults: &[Fault]) -> Option<String> {
    let message = json.pointer("/error/message").and_then(Value::as_str);
    shape::plain(shape::of(faults)?, status, message.unwrap_or("Error"))
}

/// Reads JSON.
fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|wrong| {
        if wrong.is_data() {
            format!("Invalid input: {wrong}")
        } else {
            "Malformed JSON in request body".to_owned()
        }
    })
}

/// One event of a stream, with its name if the API gives events names.
fn event(name: Option<&str>, json: &str) -> String {
    match name {
        Some(name) => format!("event: {name}\ndata: {json}\n\n"),
        None => format!("data: {json}\n\n"),
    }
}

/// A JSON schema's request for structured output, in the words of chat.
fn schema_format(schema: &Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"schema": schema}})
}

/// A tool, in the words of chat.
fn function_tool(name: &Value, parameters: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}
