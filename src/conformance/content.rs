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
pub(super) struct AnswerContent {
    pub(super) text: String,
    /// The tools that it calls: name and arguments as JSON text.
    pub(super) calls: Vec<(String, String)>,
    /// Whether it was refused, or cut short.
    pub(super) is_other: bool,
}

/// Reads a whole answer; `None` if it cannot be read.
pub(super) fn read(api: Api, json: &[u8]) -> Option<Vec<AnswerContent>> {
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
        _ => None,
    }
}

fn chat(choice: Choice) -> AnswerContent {
    let message = choice.message;
    let is_refused = message
        .refusal
        .as_deref()
        .is_some_and(|refusal| !refusal.trim().is_empty());
    let finish = choice.finish_reason.as_ref().map(|reason| End::of(reason.as_str()));
    let calls = message.tool_calls.iter().map(ToolCallDelta::to_call);
    AnswerContent {
        calls: calls
            .map(|ToolCall { function, .. }| (function.name, function.arguments))
            .collect(),
        text: message.content.unwrap_or_default(),
        is_other: is_refused || matches!(finish, Some(End::Length | End::Filter)),
    }
}

fn response(document: &ResponseDocument) -> AnswerContent {
    let mut content = AnswerContent {
        is_other: document.status == "incomplete",
        ..AnswerContent::default()
    };
    for item in &document.output {
        match text_in(item, "type") {
            "function_call" => content
                .calls
                .push((text_in(item, "name").to_owned(), arguments(item.get("arguments")))),
            "message" => {
                for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
                    match text_in(part, "type") {
                        "refusal" => content.is_other = true,
                        "output_text" => content.text.push_str(text_in(part, "text")),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    content
}

fn message(document: &MessageDocument) -> AnswerContent {
    let end = document.stop_reason.as_deref().map(End::of);
    let mut content = AnswerContent {
        is_other: matches!(end, Some(End::Length | End::Filter)),
        ..AnswerContent::default()
    };
    for block in &document.content {
        match text_in(block, "type") {
            "tool_use" => content
                .calls
                .push((text_in(block, "name").to_owned(), arguments(block.get("input")))),
            "text" => content.text.push_str(text_in(block, "text")),
            _ => {}
        }
    }
    content
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
