//! A request, read into the words of chat.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::{Message, Request};
use crate::wire::{function_tool, parse, schema_format};

/// The members that chat has not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    system: Value,
    thinking: Value,
    output_config: Value,
    fallbacks: Vec<Fallback>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fallback {
    model: String,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Request, String> {
    let mut request: Request = parse(body)?;
    let own: Own = parse(body)?;
    if !own.fallbacks.is_empty() {
        if !request.models.is_empty() {
            return Err("fallbacks: not together with models".to_owned());
        }
        request.models = own.fallbacks.into_iter().map(|fallback| fallback.model).collect();
    }
    request.messages = request.messages.into_iter().map(message).collect();
    if !own.system.is_null() && !request.messages.is_empty() {
        let system = Message {
            role: "system".to_owned(),
            content: own.system,
        };
        request.messages.insert(0, system);
    }
    request.tools = request.tools.into_iter().map(tool).collect();
    request.tool_choice = choice(&request.tool_choice);
    request.reasoning = thinking(&own.thinking, &own.output_config);
    let schema = own.output_config.pointer("/format/schema");
    request.response_format = schema.map(schema_format).unwrap_or_default();
    Ok(request)
}

/// A message whose blocks are the parts of chat. One that brings the result of a tool is the tool's.
fn message(mut message: Message) -> Message {
    for block in message.content.as_array_mut().into_iter().flatten() {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        let part = match kind {
            "image" => json!({"type": "image_url"}),
            "document" => json!({"type": "file"}),
            "tool_result" => {
                "tool".clone_into(&mut message.role);
                let said = Message {
                    role: String::new(),
                    content: block.get("content").cloned().unwrap_or_default(),
                };
                json!({"type": "text", "text": said.text()})
            }
            _ => continue,
        };
        *block = part;
    }
    message
}

fn tool(tool: Value) -> Value {
    match (tool.get("name"), tool.get("input_schema")) {
        (Some(name), Some(schema)) => function_tool(name, schema),
        _ => tool,
    }
}

fn choice(choice: &Value) -> Value {
    match choice.get("type").and_then(Value::as_str) {
        Some("any") => "required".into(),
        Some("tool") => json!({"type": "function", "function": {"name": choice.get("name")}}),
        Some(other) => other.into(),
        None => Value::Null,
    }
}

/// Reasoning is requested by `thinking`; its effort is in `output_config`.
fn thinking(thinking: &Value, config: &Value) -> Value {
    let is_on = matches!(
        thinking.get("type").and_then(Value::as_str),
        Some("enabled" | "adaptive" | "between_tools")
    );
    if !is_on {
        return Value::Null;
    }
    let omitted = thinking.get("display").and_then(Value::as_str) == Some("omitted");
    json!({"enabled": true, "effort": config.get("effort"), "exclude": omitted})
}
