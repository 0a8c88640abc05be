//! What an answer says: its texts and tool calls, whichever API it is of.

use openrouter_wire::{
    ApiAnswer as _,
    chat::{ChatResponse, Choice, ToolCall, ToolCallDelta},
    finish::End,
    messages::MessageDocument,
    responses::ResponseDocument,
};
use serde_json::Value;

use crate::Api;

/// One answer of possibly several.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    /// The tools that it calls: name and arguments as JSON text.
    pub(super) calls: Vec<(String, String)>,
    /// Whether it was refused, or cut short.
    pub(super) is_other: bool,
}

/// Reads a whole answer; `None` if it cannot be read.
pub(super) fn read(api: Api, json: &[u8]) -> Option<Vec<Said>> {
    match api {
        Api::Chat => Some(
            ChatResponse::from_json(json)
                .ok()?
                .choices
                .into_iter()
                .map(chat)
                .collect(),
        ),
        Api::Responses => Some(vec![response(&ResponseDocument::from_json(json).ok()?)]),
        Api::Messages => Some(vec![message(&MessageDocument::from_json(json).ok()?)]),
        Api::Embeddings => None,
    }
}

fn chat(choice: Choice) -> Said {
    let message = choice.message;
    let is_refused = message
        .refusal
        .as_deref()
        .is_some_and(|refusal| !refusal.trim().is_empty());
    let finish = choice.finish_reason.as_ref().map(|reason| End::of(reason.as_str()));
    let calls = message.tool_calls.iter().map(ToolCallDelta::to_call);
    Said {
        calls: calls
            .map(|ToolCall { function, .. }| (function.name, function.arguments))
            .collect(),
        text: message.content.unwrap_or_default(),
        is_other: is_refused || matches!(finish, Some(End::Length | End::Filter)),
    }
}

fn response(document: &ResponseDocument) -> Said {
    let mut said = Said {
        is_other: document.status == "incomplete",
        ..Said::default()
    };
    for item in &document.output {
        match text_in(item, "type") {
            "function_call" => said
                .calls
                .push((text_in(item, "name").to_owned(), arguments(item.get("arguments")))),
            "message" => {
                for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
                    match text_in(part, "type") {
                        "refusal" => said.is_other = true,
                        "output_text" => said.text.push_str(text_in(part, "text")),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    said
}

fn message(document: &MessageDocument) -> Said {
    let end = document.stop_reason.as_deref().map(End::of);
    let mut said = Said {
        is_other: matches!(end, Some(End::Length | End::Filter)),
        ..Said::default()
    };
    for block in &document.content {
        match text_in(block, "type") {
            "tool_use" => said
                .calls
                .push((text_in(block, "name").to_owned(), arguments(block.get("input")))),
            "text" => said.text.push_str(text_in(block, "text")),
            _ => {}
        }
    }
    said
}

fn text_in<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Arguments as JSON text: as it came, or written again if they came as JSON itself.
fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
