//! The message, plain and as it begins a stream.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{UsagePosition, error, usage};
use crate::answer::{Answer, Shown};
use crate::fault::Fault;
use crate::wire::Head;
use crate::wire::inside::Inside;

/// What signs a block of thinking.
pub(super) const SIGNATURE: &str = "c2ltdWxhdGVk";

#[derive(Serialize)]
struct Message<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    provider: &'a str,
    content: Vec<Value>,
    container: Option<()>,
    stop_reason: Option<&'a str>,
    stop_sequence: Option<()>,
    stop_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openrouter_metadata: Option<&'a Value>,
}

/// The reason in the words of this API.
pub(super) fn stop_reason(finish: &str) -> &str {
    match finish {
        "stop" => "end_turn",
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        other => other,
    }
}

/// The details of a refusal.
pub(super) fn stop_details(reason: Option<&str>) -> Option<Value> {
    (reason == Some("refusal")).then(|| json!({"type": "refusal", "category": null, "explanation": null}))
}

/// The message as JSON.
pub(super) fn message(
    head: &Head,
    content: Vec<Value>,
    reason: Option<&str>,
    usage: Option<Box<RawValue>>,
    last: bool,
) -> String {
    let message = Message {
        id: head.id_as("msg"),
        kind: "message",
        role: "assistant",
        model: &head.model,
        provider: &head.provider,
        content,
        container: None,
        stop_reason: reason,
        stop_sequence: None,
        stop_details: stop_details(reason),
        usage,
        openrouter_metadata: head.metadata.as_ref().filter(|_| last),
    };
    serde_json::to_string(&message).unwrap_or_default()
}

/// A block of thinking.
pub(super) fn thinking(text: &str, signature: &str) -> Value {
    json!({"type": "thinking", "thinking": text, "signature": signature})
}

/// A block of text.
pub(super) fn text_block(text: &str) -> Value {
    json!({"type": "text", "text": text, "citations": null})
}

/// A call of a tool.
pub(super) fn tool_use(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id.replacen("call", "toolu", 1), "name": name, "input": input})
}

/// The plain body.
pub(crate) fn plain(head: &Head, shown: &Shown<'_>, _: &Answer, faults: &[Fault]) -> String {
    if let Some(failed) = &shown.failed {
        // This API has no answer that fails in its middle: a plain one is whole, or an error.
        return error::inside(&Inside::new(&failed.code, faults), &head.id).to_string();
    }
    let mut content = Vec::new();
    if shown.is_null {
        content.push(Value::Null);
    } else if shown.is_there {
        content.extend(shown.reasoning.as_deref().map(|text| thinking(text, SIGNATURE)));
        if !shown.text.is_empty() || shown.finish.is_none() {
            content.push(text_block(&shown.text));
        }
        content.extend(shown.call.as_ref().map(|(id, name, arguments)| {
            let input = serde_json::from_str(arguments).unwrap_or_default();
            tool_use(id, name, &input)
        }));
    }
    let usage = shown
        .usage
        .as_ref()
        .map(|tally| usage(tally, UsagePosition::Plain, faults));
    message(head, content, shown.finish.map(stop_reason), usage, true)
}
