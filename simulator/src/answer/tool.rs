//! Whether the answer is a tool call, and which.

use serde_json::Value;

use super::schema;
use crate::fault::Fault;
use crate::request::Request;

/// The call to make: id, name and arguments.
///
/// Forced by `tool_choice` or the clause `tool`, and made unprompted if the user asks about the weather. After a tool's
/// result the answer is text.
pub(super) fn called(request: &Request, faults: &[Fault]) -> Option<(String, String, String)> {
    let chosen = request.tool_choice.pointer("/function/name").and_then(Value::as_str);
    let choice = request.tool_choice.as_str();
    let planned = faults.contains(&Fault::Tool);
    if faults.contains(&Fault::NoTool) || choice == Some("none") || (request.after_tool() && !planned) {
        return None;
    }
    let weather = request.question().to_lowercase().contains("weather");
    if !(planned || chosen.is_some() || choice == Some("required") || weather) {
        return None;
    }
    let functions = || request.tools.iter().filter_map(|tool| tool.get("function"));
    let named = |function: &&Value| function.get("name").and_then(Value::as_str) == chosen;
    let function = if chosen.is_some() {
        functions().find(named)
    } else {
        functions().next()
    }?;
    let name = function.get("name")?.as_str()?;
    let arguments = schema::sample(function.get("parameters").unwrap_or(&Value::Null));
    Some((format!("call_0_{name}"), name.to_owned(), arguments.to_string()))
}
