//! The body of a plain answer.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::chunk::Content;
use super::stream::finish_reason;
use super::usage;
use crate::answer::{Answer, Shown};
use crate::fault::Fault;
use crate::wire::Head;
use crate::wire::inside::Inside;

/// A `chat.completion`.
#[derive(Clone, Debug, Serialize)]
struct Completion<'a> {
    id: &'a str,
    provider: &'a str,
    model: &'a str,
    object: &'static str,
    created: u64,
    system_fingerprint: Option<&'a str>,
    service_tier: Option<&'a str>,
    choices: Vec<Option<Choice<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openrouter_metadata: Option<&'a Value>,
}

/// Its one choice.
#[derive(Clone, Debug, Serialize)]
struct Choice<'a> {
    index: u32,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
    native_finish_reason: Option<&'a str>,
    message: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

/// The assistant's message.
#[derive(Clone, Debug, Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
    refusal: Option<&'a str>,
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Value>,
}

/// A part with text.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A part with reasoning.
pub(super) fn thinking_part(text: &str) -> Value {
    json!({"type": "thinking", "thinking": [text_part(text)]})
}

/// `reasoning_details`, unless the reasoning has a name of its own.
pub(super) fn details(text: &str, answer: &Answer, faults: &[Fault]) -> Option<Value> {
    let renamed = faults.iter().any(|fault| matches!(fault, Fault::ReasoningName(_)));
    (!renamed).then(|| json!([{"type": "reasoning.text", "text": text, "format": answer.format, "index": 0}]))
}

/// The plain body.
pub(crate) fn plain(head: &Head, shown: &Shown<'_>, answer: &Answer, faults: &[Fault]) -> String {
    let error = shown
        .failed
        .as_ref()
        .map(|failed| Inside::new(&failed.code, faults).object());
    if shown.failed.as_ref().is_some_and(|failed| failed.alone) {
        let usage = shown
            .usage
            .as_ref()
            .map(|tally| format!(",\"usage\":{}", usage(tally, faults)));
        let error = error.unwrap_or_default();
        return format!(
            "{{\"error\":{error},\"user_id\":\"user_2demo\"{}}}",
            usage.unwrap_or_default()
        );
    }
    let parts = faults.contains(&Fault::ContentParts);
    let content = if parts {
        let thinking = shown.reasoning.as_deref().map(thinking_part);
        Content::Parts(thinking.into_iter().chain([text_part(&shown.text)]).collect())
    } else {
        Content::Text(&shown.text)
    };
    let reasoning = shown.reasoning.as_deref().filter(|_| !parts);
    let old = faults.contains(&Fault::FunctionCall);
    let call = |is_old: bool| shown.call.as_ref().filter(|_| old == is_old);
    let tool_calls = call(false).map(|(id, name, arguments)| {
        json!([{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}])
    });
    let function_call = call(true).map(|(_, name, arguments)| json!({"name": name, "arguments": arguments}));
    let choice = Choice {
        index: 0,
        logprobs: None,
        finish_reason: shown.finish.map(|finish| finish_reason(finish, faults)),
        native_finish_reason: shown.native,
        message: Message {
            role: "assistant",
            content,
            refusal: None,
            reasoning,
            reasoning_details: reasoning.and_then(|text| details(text, answer, faults)),
            tool_calls,
            function_call,
        },
        error,
    };
    let body = Completion {
        id: &head.id,
        provider: &head.provider,
        model: &head.model,
        object: "chat.completion",
        created: head.created,
        system_fingerprint: None,
        service_tier: Some(head.tier),
        choices: match (shown.is_there, shown.is_null) {
            (true, false) => vec![Some(choice)],
            (true, true) => vec![None],
            (false, _) => Vec::new(),
        },
        usage: shown.usage.as_ref().map(|tally| usage(tally, faults)),
        openrouter_metadata: head.metadata.as_ref(),
    };
    serde_json::to_string(&body).unwrap_or_default()
}
