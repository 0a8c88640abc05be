//! Which events of Responses carry pieces of an item, and of what.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::node::{inside, members};
use crate::json::{JsonError, whole_number};

/// A text that an item has, by its member and its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    part: u64,
    pub(super) member: &'static str,
}

impl Piece {
    pub(super) const fn of(member: &'static str) -> Self {
        Self { part: 0, member }
    }

    pub(super) fn is(&self, member: &str) -> bool {
        self.member == member
    }
}

/// An event by its members.
type Event<'a> = BTreeMap<Cow<'a, str>, &'a [u8]>;

/// What an event adds to a text.
pub(super) fn gathered<'a>(kind: &[u8], event: &Event<'a>) -> Option<(Piece, &'a [u8])> {
    let member = match kind {
        b"response.output_text.delta" | b"response.content_part.delta" => "text",
        b"response.refusal.delta" => "refusal",
        b"response.reasoning_text.delta" | b"response.reasoning.delta" => "reasoning",
        b"response.reasoning_summary_text.delta" => "summary",
        b"response.function_call_arguments.delta" | b"response.mcp_call_arguments.delta" => "arguments",
        b"response.custom_tool_call_input.delta" => "input",
        _ => return None,
    };
    let text = event.get("delta").copied().and_then(inside)?;
    Some((at(member, event), text))
}

/// What an event says a text is at its end.
pub(super) fn settled<'a>(kind: &[u8], event: &Event<'a>) -> Result<Option<(Piece, &'a [u8])>, JsonError> {
    let (member, name) = match kind {
        b"response.output_text.done" => ("text", "text"),
        b"response.refusal.done" => ("refusal", "refusal"),
        b"response.reasoning_text.done" => ("reasoning", "text"),
        b"response.reasoning_summary_text.done" => ("summary", "text"),
        b"response.function_call_arguments.done" | b"response.mcp_call_arguments.done" => ("arguments", "arguments"),
        b"response.custom_tool_call_input.done" => ("input", "input"),
        b"response.content_part.done" | b"response.reasoning_summary_part.done" => return of_part(event),
        _ => return Ok(None),
    };
    let text = event.get(name).copied().and_then(inside);
    Ok(text.map(|text| (at(member, event), text)))
}

fn of_part<'a>(event: &Event<'a>) -> Result<Option<(Piece, &'a [u8])>, JsonError> {
    let Some(part) = event.get("part").filter(|part| part.first() == Some(&b'{')) else {
        return Ok(None);
    };
    let part = members(part)?;
    let (member, name) = match part.get("type").copied().and_then(inside) {
        Some(b"output_text" | b"text") => ("text", "text"),
        Some(b"refusal") => ("refusal", "refusal"),
        Some(b"reasoning_text") => ("reasoning", "text"),
        Some(b"summary_text") => ("summary", "text"),
        _ => return Ok(None),
    };
    let text = part.get(name).copied().and_then(inside);
    Ok(text.map(|text| (at(member, event), text)))
}

fn at(member: &'static str, event: &Event<'_>) -> Piece {
    let part = event.get("content_index").or_else(|| event.get("summary_index"));
    Piece {
        part: part.and_then(|raw| whole_number(raw)).unwrap_or(0),
        member,
    }
}
