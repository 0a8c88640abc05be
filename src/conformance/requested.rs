//! What a request asks its answer to be.

use openrouter_wire::{
    document::Document,
    json::{is_text, raw_member},
};
use serde_json::Value;
use tower_llm_layers::LlmRequest as _;

use crate::{Api, ApiRequest, ChatRequest, MessagesRequest, ResponsesRequest};

/// The promises of a request, as raw JSON.
#[derive(Default)]
pub(super) struct RequestedFormat<'a> {
    /// What the text must be.
    pub(super) format: Option<Format<'a>>,
    /// The list of tools.
    pub(super) tools: Option<&'a [u8]>,
}

/// What the text of an answer must be.
pub(super) enum Format<'a> {
    /// Any JSON object.
    Object,
    /// JSON of the schema in this object.
    Schema(&'a [u8]),
}

/// The document of a request that gives text.
fn document(request: &ApiRequest) -> Option<&Document> {
    match request.api() {
        Api::Chat => request.as_chat().map(ChatRequest::document),
        Api::Responses => request.as_responses().map(ResponsesRequest::document),
        Api::Messages => request.as_messages().map(MessagesRequest::document),
        _ => None,
    }
}

impl<'a> RequestedFormat<'a> {
    pub(super) fn of(request: &'a ApiRequest) -> Self {
        let Some(document) = document(request) else {
            return Self::default();
        };
        let inside = |field, name| document.get(field).and_then(|raw| raw_member(raw, name));
        let format = match request.api() {
            Api::Chat => document.get("response_format"),
            Api::Responses => inside("text", "format"),
            _ => inside("output_config", "format").or_else(|| document.get("output_format")),
        };
        let tools = document
            .get("tools")
            .filter(|raw| raw.starts_with(b"[") && raw.contains(&b'{'));
        Self {
            format: format.and_then(Format::of),
            tools,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.format.is_none() && self.tools.is_none()
    }
}

impl<'a> Format<'a> {
    fn of(raw: &'a [u8]) -> Option<Self> {
        let kind = raw_member(raw, "type")?;
        if is_text(kind, "json_schema") {
            return Some(Self::Schema(raw));
        }
        is_text(kind, "json_object").then_some(Self::Object)
    }
}

/// The name and the schema in a format: beside its type, or in `json_schema`.
pub(super) fn schema_of_format(format: &Value) -> Option<(&str, &Value)> {
    let inside = format.get("json_schema").unwrap_or(format);
    let name = inside.get("name").and_then(Value::as_str).unwrap_or("answer");
    Some((name, inside.get("schema")?))
}

/// The name and the schema of a tool: in `function`, or beside its type.
pub(super) fn schema_of_tool(tool: &Value) -> Option<(&str, &Value)> {
    let inside = tool.get("function").unwrap_or(tool);
    let schema = inside.get("parameters").or_else(|| inside.get("input_schema"))?;
    Some((inside.get("name")?.as_str()?, schema))
}

/// Whether anything of this request's answer can be checked.
pub(super) fn asks(request: &ApiRequest) -> bool {
    request.operation() == "chat" && !RequestedFormat::of(request).is_empty()
}
