//! A plain response as the events of Responses.

use super::{
    Events,
    shaped::{are_as_they_came, items, listed, string, word},
};
use crate::endpoint::object::Object;

/// A member of an item that is streamed: of which kind of item it is, and the stem of its events.
pub(super) const STREAMED: [(&str, &str, &str); 4] = [
    ("function_call", "arguments", "function_call_arguments"),
    ("mcp_call", "arguments", "mcp_call_arguments"),
    ("custom_tool_call", "input", "custom_tool_call_input"),
    ("code_interpreter_call", "code", "code_interpreter_call_code"),
];

/// The kind of part that has the text of the answer.
pub(super) const OUTPUT_TEXT: &str = "output_text";

/// A list of parts in an item: of which kind of item it is, its name, the stem of the events of a part, the name of its place, and the kind of
/// its parts that have text.
pub(super) const LISTS: [(&str, &str, &str, &str, &str); 3] = [
    ("message", "content", "content_part", "content_index", OUTPUT_TEXT),
    (
        "reasoning",
        "summary",
        "reasoning_summary_part",
        "summary_index",
        "summary_text",
    ),
    (
        "reasoning",
        "content",
        "content_part",
        "content_index",
        "reasoning_text",
    ),
];

/// A kind of part, the member with its text, the stem of the events of that, and what else OpenRouter's SDKs require of these.
pub(super) type Part = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static [u8])],
);

pub(super) const PARTS: [Part; 4] = [
    (OUTPUT_TEXT, "text", "output_text", &[("logprobs", b"[]")]),
    ("refusal", "refusal", "refusal", &[]),
    ("summary_text", "text", "reasoning_summary_text", &[]),
    ("reasoning_text", "text", "reasoning_text", &[]),
];

pub(super) fn response(answer: &Object<'_>, whole: &[u8], events: &mut Events) {
    let status = word(answer, "status");
    // The last event is that of the status: a response that is still worked on has not ended.
    let (end, begun) = match status.as_deref() {
        Some("queued") => ("response.queued", &b"\"queued\""[..]),
        Some("in_progress") => ("response.in_progress", &b"\"in_progress\""[..]),
        Some("incomplete") => ("response.incomplete", &b"\"in_progress\""[..]),
        _ => ("response.completed", &b"\"in_progress\""[..]),
    };
    let begun = answer.with(&[
        ("status", begun),
        ("output", b"[]"),
        ("completed_at", b"null"),
        ("usage", b"null"),
    ]);
    events.add("response.created", true, &[("response", &begun)]);
    let items = items(answer);
    for (at, item) in items.iter().enumerate() {
        let at = at.to_string();
        let index = ("output_index", at.as_bytes());
        let Ok(read) = Object::read(item) else { continue };
        let kind = word(&read, "type");
        let lists = || LISTS.iter().filter(|(of, ..)| kind.as_deref() == Some(*of));
        let streamed = || STREAMED.iter().filter(|(of, ..)| kind.as_deref() == Some(*of));
        let mut begun: Vec<(&str, &[u8])> = vec![("status", b"\"in_progress\"")];
        begun.extend(lists().map(|(_, list, ..)| (*list, &b"[]"[..])));
        begun.extend(streamed().map(|(_, member, _)| (*member, &b"\"\""[..])));
        events.add(
            "response.output_item.added",
            true,
            &[index, ("item", &read.with(&begun))],
        );
        let id = ("item_id", read.get("id").unwrap_or(b"\"\""));
        for (_, list, stem, place, _) in lists() {
            for (part_at, part) in read.items(list).iter().enumerate() {
                let part_at = part_at.to_string();
                parts(part, stem, &[id, index, (*place, part_at.as_bytes())], events);
            }
        }
        for (_, member, stem) in streamed() {
            let Some(value) = string(&read, member) else { continue };
            let name = ("name", read.get("name").unwrap_or(b"\"\""));
            let named = (*stem == "function_call_arguments").then_some(name);
            events.add(&format!("response.{stem}.delta"), true, &[id, index, ("delta", value)]);
            let done: Vec<_> = [id, index].into_iter().chain(named).chain([(*member, value)]).collect();
            events.add(&format!("response.{stem}.done"), true, &done);
        }
        events.add("response.output_item.done", true, &[index, ("item", item)]);
    }
    let is_list = answer.get("output").is_some_and(|output| output.first() == Some(&b'['));
    if are_as_they_came(&items) && (is_list || items.is_empty()) {
        events.add(end, true, &[("response", whole)]);
        return;
    }
    let shaped = answer.completed(&[("output", &listed(&items))], &[]);
    events.add(end, true, &[("response", &shaped)]);
}

/// A part of an item: its text is what clients show.
fn parts(part: &[u8], stem: &str, place: &[(&str, &[u8])], events: &mut Events) {
    let Ok(read) = Object::read(part) else { return };
    let kind = word(&read, "type");
    let known = PARTS.iter().find(|(of, ..)| kind.as_deref() == Some(*of));
    let Some((_, member, stream, more)) = known else { return };
    let Some(text) = string(&read, member) else { return };
    let annotations = read.items("annotations");
    let mut begun: Vec<(&str, &[u8])> = vec![(member, b"\"\"")];
    if !annotations.is_empty() {
        begun.push(("annotations", b"[]"));
    }
    let begun = read.with(&begun);
    let mut add = |name: &str, member: &str, value: &[u8], more: &[(&str, &[u8])]| {
        events.add(name, true, &[place, &[(member, value)], more].concat());
    };
    add(&format!("response.{stem}.added"), "part", &begun, &[]);
    add(&format!("response.{stream}.delta"), "delta", text, more);
    for (at, annotation) in annotations.iter().enumerate() {
        let at = at.to_string();
        let place = [("annotation_index", at.as_bytes())];
        add(
            &format!("response.{stream}.annotation.added"),
            "annotation",
            annotation,
            &place,
        );
    }
    add(&format!("response.{stream}.done"), member, text, more);
    add(&format!("response.{stem}.done"), "part", part, &[]);
}
