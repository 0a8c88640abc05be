//! A request, read into the words of chat.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::{Message, Request};
use crate::wire::{function_tool, parse, schema_format};

/// The members that chat has not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    input: Value,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    text: Value,
    store: Option<bool>,
    previous_response_id: Option<String>,
}

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Request, String> {
    let mut request: Request = parse(body)?;
    let own: Own = parse(body)?;
    if own.store == Some(true) {
        return Err("store: Invalid input: expected false".to_owned());
    }
    if own.previous_response_id.is_some() {
        return Err("previous_response_id: Invalid input: expected null".to_owned());
    }
    let system = own.instructions.map(|text| message("system", text.into()));
    request.messages = match own.input {
        Value::String(text) => vec![message("user", text.into())],
        Value::Array(items) => items.into_iter().filter_map(item).collect(),
        _ => Vec::new(),
    };
    if !request.messages.is_empty() {
        request.messages.splice(0..0, system);
    }
    request.max_tokens = own.max_output_tokens;
    request.tools = request.tools.into_iter().map(tool).collect();
    if let Some(name) = request.tool_choice.get("name") {
        request.tool_choice = json!({"type": "function", "function": {"name": name}});
    }
    request.response_format = format(&own.text);
    Ok(request)
}

fn message(role: &str, content: Value) -> Message {
    Message {
        role: role.to_owned(),
        content,
    }
}

/// What an item says; `None` if it has no part in the prompt.
fn item(mut item: Value) -> Option<Message> {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
    let mut take = |name: &str| item.get_mut(name).map(Value::take).unwrap_or_default();
    match kind.as_str() {
        "message" => {
            let role = take("role");
            let role = if role == "developer" { "system" } else { role.as_str()? };
            Some(message(role, parts(take("content"))))
        }
        "function_call" | "custom_tool_call" => Some(message("assistant", Value::Null)),
        "function_call_output" | "custom_tool_call_output" => Some(message("tool", parts(take("output")))),
        _ => None,
    }
}

/// Content in the words of chat: what marks it for the cache, images and files.
fn parts(mut content: Value) -> Value {
    for part in content.as_array_mut().into_iter().flatten() {
        let Some(part) = part.as_object_mut() else { continue };
        let kind = match part.get("type").and_then(Value::as_str) {
            Some("input_image") => "image_url",
            Some("input_file") => "file",
            _ => "text",
        };
        part.insert("type".to_owned(), kind.into());
        if let Some(mark) = part.remove("prompt_cache_breakpoint") {
            part.insert("cache_control".to_owned(), mark);
        }
    }
    content
}

/// A function's name stands beside its type here; a server tool is the same everywhere.
fn tool(tool: Value) -> Value {
    match (tool.get("type").and_then(Value::as_str), tool.get("name")) {
        (Some("function"), Some(name)) => function_tool(name, tool.get("parameters").unwrap_or(&Value::Null)),
        _ => tool,
    }
}

/// Structured output: name and schema stand beside the type here.
fn format(text: &Value) -> Value {
    let Some(format) = text.get("format") else {
        return Value::Null;
    };
    match format.get("schema") {
        Some(schema) => schema_format(schema),
        None => format.clone(),
    }
}
