//! A plain response as the events of Responses.

use super::Events;
use crate::endpoint::object::Object;

/// A member of an item that is streamed: of which kind of item it is, and the stem of its events.
const STREAMED: [(&[u8], &str, &str); 4] = [
    (b"\"function_call\"", "arguments", "function_call_arguments"),
    (b"\"mcp_call\"", "arguments", "mcp_call_arguments"),
    (b"\"custom_tool_call\"", "input", "custom_tool_call_input"),
    (b"\"code_interpreter_call\"", "code", "code_interpreter_call_code"),
];

/// A list of parts in an item: of which kind of item it is, the stem of the events of a part, and the name of its place.
const LISTS: [(&[u8], &str, &str, &str); 3] = [
    (b"\"message\"", "content", "content_part", "content_index"),
    (b"\"reasoning\"", "summary", "reasoning_summary_part", "summary_index"),
    (b"\"reasoning\"", "content", "content_part", "content_index"),
];

/// A kind of part, the member with its text, the stem of the events of that, and what else OpenRouter's SDKs require of these.
type Part = (
    &'static [u8],
    &'static str,
    &'static str,
    &'static [(&'static str, &'static [u8])],
);

const PARTS: [Part; 4] = [
    (b"\"output_text\"", "text", "output_text", &[("logprobs", b"[]")]),
    (b"\"refusal\"", "refusal", "refusal", &[]),
    (b"\"summary_text\"", "text", "reasoning_summary_text", &[]),
    (b"\"reasoning_text\"", "text", "reasoning_text", &[]),
];

pub(super) fn response(answer: &Object<'_>, whole: &[u8], events: &mut Events) {
    let begun = answer.with(&[
        ("status", b"\"in_progress\""),
        ("output", b"[]"),
        ("completed_at", b"null"),
        ("usage", b"null"),
    ]);
    events.add("response.created", true, &[("response", &begun)]);
    for (at, item) in answer.items("output").iter().enumerate() {
        let at = at.to_string();
        let index = ("output_index", at.as_bytes());
        let Ok(read) = Object::read(item) else { continue };
        let lists = || LISTS.iter().filter(|(kind, ..)| read.get("type") == Some(kind));
        let streamed = || STREAMED.iter().filter(|(kind, ..)| read.get("type") == Some(kind));
        let mut begun: Vec<(&str, &[u8])> = vec![("status", b"\"in_progress\"")];
        begun.extend(lists().map(|(_, list, ..)| (*list, &b"[]"[..])));
        begun.extend(streamed().map(|(_, member, _)| (*member, &b"\"\""[..])));
        events.add(
            "response.output_item.added",
            true,
            &[index, ("item", &read.with(&begun))],
        );
        let id = ("item_id", read.get("id").unwrap_or(b"\"\""));
        for (_, list, stem, place) in lists() {
            for (part_at, part) in read.items(list).iter().enumerate() {
                let part_at = part_at.to_string();
                parts(part, stem, &[id, index, (*place, part_at.as_bytes())], events);
            }
        }
        for (_, member, stem) in streamed() {
            let Some(value) = read.get(member) else { continue };
            let name = ("name", read.get("name").unwrap_or(b"\"\""));
            let named = (*stem == "function_call_arguments").then_some(name);
            events.add(&format!("response.{stem}.delta"), true, &[id, index, ("delta", value)]);
            let done: Vec<_> = [id, index].into_iter().chain(named).chain([(*member, value)]).collect();
            events.add(&format!("response.{stem}.done"), true, &done);
        }
        events.add("response.output_item.done", true, &[index, ("item", item)]);
    }
    let end = match answer.get("status") {
        Some(b"\"incomplete\"") => "response.incomplete",
        _ => "response.completed",
    };
    events.add(end, true, &[("response", whole)]);
}

/// A part of an item: its text is what clients show.
fn parts(part: &[u8], stem: &str, place: &[(&str, &[u8])], events: &mut Events) {
    let Ok(read) = Object::read(part) else { return };
    let known = PARTS.iter().find(|(kind, ..)| read.get("type") == Some(kind));
    let Some((_, member, stream, more)) = known else { return };
    let Some(text) = read.get(member) else { return };
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
