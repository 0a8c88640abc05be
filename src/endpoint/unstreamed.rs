//! A plain answer to a streamed request, as the events that its API would have streamed. Only what differs is written again: every value
//! goes out as it came.

use std::borrow::Cow;

use crate::Api;
use openrouter_wire::json::{Cursor, JsonError, json_string};

/// The events of a whole answer, each the JSON of its data on one line. An answer that is not in the shape of its API comes with its
/// beginning and its end alone.
pub(super) fn as_events(api: Api, answer: &[u8]) -> Vec<Vec<u8>> {
    // JSON has no raw line breaks outside white space, where a space does as well.
    let line: Vec<u8> = answer
        .iter()
        .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte })
        .collect();
    let answer = Object::read(&line).unwrap_or_default();
    let mut events = Events::default();
    if api == Api::Messages {
        message(&answer, &mut events);
    } else {
        response(&answer, &line, &mut events);
    }
    events.0
}

#[derive(Default)]
struct Events(Vec<Vec<u8>>);

impl Events {
    /// Adds an event with these members; `numbered` counts them, as streams of responses do.
    fn add(&mut self, name: &str, numbered: bool, members: &[(&str, &[u8])]) {
        let mut data = format!("{{\"type\":\"{name}\"").into_bytes();
        if numbered {
            data.extend_from_slice(format!(",\"sequence_number\":{}", self.0.len()).as_bytes());
        }
        for (name, value) in members {
            data.extend_from_slice(format!(",\"{name}\":").as_bytes());
            data.extend_from_slice(value);
        }
        data.push(b'}');
        self.0.push(data);
    }
}

fn response(answer: &Object<'_>, whole: &[u8], events: &mut Events) {
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
        let begun = read.with(&[
            ("status", b"\"in_progress\""),
            ("content", b"[]"),
            ("arguments", b"\"\""),
        ]);
        events.add("response.output_item.added", true, &[index, ("item", &begun)]);
        let id = ("item_id", read.get("id").unwrap_or(b"\"\""));
        for (part_at, part) in read.items("content").iter().enumerate() {
            let part_at = part_at.to_string();
            let place = [id, index, ("content_index", part_at.as_bytes())];
            parts(part, &place, events);
        }
        if let Some(arguments) = read.get("arguments") {
            let [delta, done] = ["delta", "done"].map(|end| format!("response.function_call_arguments.{end}"));
            events.add(&delta, true, &[id, index, ("delta", arguments)]);
            let name = ("name", read.get("name").unwrap_or(b"\"\""));
            events.add(&done, true, &[id, index, name, ("arguments", arguments)]);
        }
        events.add("response.output_item.done", true, &[index, ("item", item)]);
    }
    let end = match answer.get("status") {
        Some(b"\"incomplete\"") => "response.incomplete",
        _ => "response.completed",
    };
    events.add(end, true, &[("response", whole)]);
}

/// A part of a message: its text is what clients show.
fn parts(part: &[u8], place: &[(&str, &[u8])], events: &mut Events) {
    let Ok(read) = Object::read(part) else { return };
    // OpenRouter's SDKs require the list of a text.
    let (stream, member, more): (_, _, &[(&str, &[u8])]) = match read.get("type") {
        Some(b"\"output_text\"") => ("output_text", "text", &[("logprobs", b"[]")]),
        Some(b"\"refusal\"") => ("refusal", "refusal", &[]),
        _ => return,
    };
    let Some(text) = read.get(member) else { return };
    let begun = read.with(&[(member, b"\"\"")]);
    let mut add = |name: &str, member: &str, value: &[u8], more: &[(&str, &[u8])]| {
        events.add(name, true, &[place, &[(member, value)], more].concat());
    };
    add("response.content_part.added", "part", &begun, &[]);
    add(&format!("response.{stream}.delta"), "delta", text, more);
    add(&format!("response.{stream}.done"), member, text, more);
    add("response.content_part.done", "part", part, &[]);
}

fn message(answer: &Object<'_>, events: &mut Events) {
    let begun = answer.with(&[("content", b"[]"), ("stop_reason", b"null"), ("stop_sequence", b"null")]);
    events.add("message_start", false, &[("message", &begun)]);
    for (at, block) in answer.items("content").iter().enumerate() {
        let at = at.to_string();
        let index = ("index", at.as_bytes());
        let Ok(read) = Object::read(block) else { continue };
        let (begun, deltas) = deltas(&read);
        events.add("content_block_start", false, &[index, ("content_block", &begun)]);
        for delta in &deltas {
            events.add("content_block_delta", false, &[index, ("delta", delta)]);
        }
        events.add("content_block_stop", false, &[index]);
    }
    let delta = answer.only(&["stop_reason", "stop_sequence", "stop_details", "container"]);
    let usage = answer.get("usage").unwrap_or(b"{\"output_tokens\":0}");
    events.add("message_delta", false, &[("delta", &delta), ("usage", usage)]);
    events.add("message_stop", false, &[]);
}

/// A block as it begins, and what is added to it then. A block of another kind begins whole.
fn deltas(block: &Object<'_>) -> (Vec<u8>, Vec<Vec<u8>>) {
    let delta = |kind: &str, member: &str, value: &[u8]| {
        let mut delta = format!("{{\"type\":\"{kind}\",\"{member}\":").into_bytes();
        delta.extend_from_slice(value);
        delta.push(b'}');
        delta
    };
    match block.get("type") {
        Some(b"\"text\"") => (
            block.with(&[("text", b"\"\"")]),
            block
                .get("text")
                .map(|text| delta("text_delta", "text", text))
                .into_iter()
                .collect(),
        ),
        Some(b"\"thinking\"") => {
            let thinking = block
                .get("thinking")
                .map(|text| delta("thinking_delta", "thinking", text));
            let signature = block
                .get("signature")
                .map(|text| delta("signature_delta", "signature", text));
            (
                block.with(&[("thinking", b"\"\""), ("signature", b"\"\"")]),
                thinking.into_iter().chain(signature).collect(),
            )
        }
        Some(b"\"tool_use\"" | b"\"server_tool_use\"") => {
            let input = json_string(&String::from_utf8_lossy(block.get("input").unwrap_or(b"{}")));
            (
                block.with(&[("input", b"{}")]),
                vec![delta("input_json_delta", "partial_json", &input)],
            )
        }
        _ => (block.with(&[]), Vec::new()),
    }
}

/// The members of an object, with their values as they came.
#[derive(Default)]
struct Object<'a>(Vec<(Cow<'a, str>, &'a [u8])>);

impl<'a> Object<'a> {
    fn read(json: &'a [u8]) -> Result<Self, JsonError> {
        let mut members = Vec::new();
        Cursor::lenient(json).object(|key, value| {
            members.push((key.to_str(), value.raw()?));
            Ok(())
        })?;
        Ok(Self(members))
    }

    fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// The items of a member that is a list; none of anything else.
    fn items(&self, name: &str) -> Vec<&'a [u8]> {
        let mut items = Vec::new();
        if let Some(list) = self.get(name) {
            let read = Cursor::lenient(list).array_or_skip(|item| {
                items.push(item.raw()?);
                Ok(())
            });
            debug_assert!(read.is_ok(), "it was read before");
        }
        items
    }

    /// All of it, with other values for those of these members that it has.
    fn with(&self, others: &[(&str, &[u8])]) -> Vec<u8> {
        written(self.0.iter().map(|(name, value)| {
            let other = others.iter().find(|(other, _)| other == name);
            (&**name, other.map_or(*value, |(_, other)| *other))
        }))
    }

    /// Those of these members that it has.
    fn only(&self, names: &[&str]) -> Vec<u8> {
        let members = self.0.iter().map(|(name, value)| (&**name, *value));
        written(members.filter(|(name, _)| names.contains(name)))
    }
}

fn written<'a>(members: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (name, value) in members {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(&json_string(name));
        out.push(b':');
        out.extend_from_slice(value);
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn events(api: Api, answer: &str) -> Vec<Value> {
        let events = as_events(api, answer.as_bytes());
        assert!(events.iter().flatten().all(|byte| !matches!(byte, b'\n' | b'\r')));
        events
            .iter()
            .map(|event| serde_json::from_slice(event).unwrap())
            .collect()
    }

    #[test]
    fn a_response_streams_each_item_and_part() {
        let answer = r#"{"id":"resp_1","status":"completed","output":[
            {"type":"reasoning","id":"rs_1","summary":[]},
            {"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.\n"}]},
            {"type":"function_call","id":"fc_1","call_id":"call_1","name":"look","arguments":"{\"x\":1}"}],
            "usage":{"cost":0.00000390}}"#;
        let got = events(Api::Responses, answer);
        let types: Vec<_> = got.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            types,
            [
                "response.created",
                "response.output_item.added",
                "response.output_item.done",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.done",
                "response.content_part.done",
                "response.output_item.done",
                "response.output_item.added",
                "response.function_call_arguments.delta",
                "response.function_call_arguments.done",
                "response.output_item.done",
                "response.completed",
            ]
        );
        for (at, event) in got.iter().enumerate() {
            assert_eq!(event["sequence_number"], at);
        }
        assert_eq!(got[0]["response"]["output"], json!([]));
        assert_eq!(got[3]["item"]["content"], json!([]));
        let delta = json!({"type": "response.output_text.delta", "sequence_number": 5, "item_id": "msg_1", "output_index": 1,
            "content_index": 0, "delta": "Oslo.\n", "logprobs": []});
        assert_eq!(got[5], delta);
        assert_eq!(got[10]["delta"], r#"{"x":1}"#);
        assert_eq!(got[11]["name"], "look");
        let last = as_events(Api::Responses, answer.as_bytes()).pop().unwrap();
        assert!(String::from_utf8(last).unwrap().contains("0.00000390"), "as it came");
        let cut = events(Api::Responses, r#"{"status":"incomplete","output":[]}"#);
        assert_eq!(cut.last().unwrap()["type"], "response.incomplete");
    }

    #[test]
    fn a_message_streams_each_block() {
        let answer = r#"{"id":"msg_1","content":[{"type":"thinking","thinking":"Hm","signature":"c2ln"},
            {"type":"text","text":"Oslo.","citations":null},{"type":"tool_use","id":"t","name":"look","input":{"x":1}},
            {"type":"new_block","new":1}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"output_tokens":5}}"#;
        let got = events(Api::Messages, answer);
        let of = |kind: &str| {
            got.iter()
                .filter(|event| event["type"] == kind)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(got.first().unwrap()["message"]["content"], json!([]));
        let deltas: Vec<_> = of("content_block_delta")
            .iter()
            .map(|event| event["delta"].clone())
            .collect();
        assert_eq!(
            deltas,
            [
                json!({"type": "thinking_delta", "thinking": "Hm"}),
                json!({"type": "signature_delta", "signature": "c2ln"}),
                json!({"type": "text_delta", "text": "Oslo."}),
                json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"}),
            ]
        );
        let begun: Vec<_> = of("content_block_start")
            .iter()
            .map(|event| event["content_block"].clone())
            .collect();
        assert_eq!(begun[1], json!({"type": "text", "text": "", "citations": null}));
        assert_eq!(begun[2]["input"], json!({}));
        assert_eq!(begun[3], json!({"type": "new_block", "new": 1}));
        let end = of("message_delta");
        assert_eq!(
            (&end[0]["delta"]["stop_reason"], &end[0]["usage"]),
            (&json!("tool_use"), &json!({"output_tokens": 5}))
        );
        assert_eq!(got.last().unwrap(), &json!({"type": "message_stop"}));
    }
}
