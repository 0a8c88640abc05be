//! The last event of an interrupted stream: what makes the SDKs of each API raise an error.
//!
//! OpenAI's SDKs look for a member `error` in the data, agents for `response.failed` before it, Anthropic's for the event's name, OpenRouter's for a chunk that is whole. None of
//! them takes an end without a word for an error, so an interrupted stream always ends with this event.

use std::borrow::Cow;

use serde::Serialize;
use tower_llm_layers::UtcTime;

use super::{
    envelope::{Detail, MessagesError, json},
    problem::Problem,
};
use crate::Api;
use openrouter_wire::json::{Cursor, Text};

#[derive(Serialize)]
struct ErrorChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [ErrorChoice; 1],
    error: Detail<'a>,
}

#[derive(Serialize)]
struct ErrorChoice {
    index: u32,
    delta: EmptyDelta,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct EmptyDelta {
    content: &'static str,
}

/// Flat as in the schema, and nested beside that: of OpenAI's SDKs some look for the one, some for the other.
#[derive(Serialize)]
struct ResponsesError<'a> {
    r#type: &'static str,
    sequence_number: u64,
    code: &'static str,
    message: &'a str,
    param: Option<&'a str>,
    error: Detail<'a>,
}

/// The number of this event, if it has one.
pub(super) fn number_of(seen: &[u8]) -> Option<u64> {
    StreamIds::read(seen).sequence_number
}

/// The number of the event behind this one.
pub(super) fn next_number(seen: &[u8]) -> u64 {
    number_of(seen).map_or(0, |number| number.saturating_add(1))
}

/// The data of the event. `seen` is an event before it, of the same stream; `model` is that of the candidate that answered.
pub(super) fn failed(api: Api, problem: &Problem, seen: &[u8], number: u64, model: &str) -> Vec<u8> {
    let ids = StreamIds::read(seen);
    match api {
        Api::Responses => json(&ResponsesError {
            r#type: "error",
            sequence_number: number,
            code: problem.code,
            message: &problem.message,
            param: problem.param.as_deref(),
            error: Detail::with_word(problem),
        }),
        Api::Messages => json(&MessagesError::of(problem)),
        _ => json(&ErrorChunk {
            id: ids.id.as_deref().or(problem.upstream_id.as_deref()).unwrap_or_default(),
            object: "chat.completion.chunk",
            created: ids.created.unwrap_or_else(|| UtcTime::now().millis() / 1000),
            model: ids.model.as_deref().unwrap_or(model),
            choices: [ErrorChoice {
                index: 0,
                delta: EmptyDelta { content: "" },
                finish_reason: "error",
            }],
            error: Detail::with_status(problem),
        }),
    }
}

/// What an event said of its stream, as far as it could be read.
#[derive(Default)]
struct StreamIds<'a> {
    id: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    created: Option<u64>,
    sequence_number: Option<u64>,
}

impl<'a> StreamIds<'a> {
    fn read(event: &'a [u8]) -> Self {
        let mut ids = Self::default();
        // What could be read before it broke counts.
        let read = Cursor::lenient(event).object(|key, value| {
            match key.name() {
                b"id" => ids.id = value.string_or_skip()?.map(Text::to_str),
                b"model" => ids.model = value.string_or_skip()?.map(Text::to_str),
                b"created" => ids.created = value.u64_or_skip()?,
                b"sequence_number" => ids.sequence_number = value.u64_or_skip()?,
                _ => value.skip()?,
            }
            Ok(())
        });
        read.unwrap_or_default();
        ids
    }
}
