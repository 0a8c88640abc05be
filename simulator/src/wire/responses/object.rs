//! The `response` object, plain and in events.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{code, usage};
use crate::answer::{Answer, Shown};
use crate::fault::Fault;
use crate::wire::Head;
use crate::wire::inside::Inside;

/// The members that repeat the request, and what they are if it has none.
const ECHO: &[(&str, &str)] = &[
    ("instructions", "null"),
    ("metadata", "null"),
    ("tools", "[]"),
    ("tool_choice", "\"auto\""),
    ("parallel_tool_calls", "true"),
    ("temperature", "null"),
    ("top_p", "null"),
    ("presence_penalty", "null"),
    ("frequency_penalty", "null"),
];

/// Those that are left out if the request has none.
const ECHO_IF_ASKED: &[&str] = &[
    "text",
    "reasoning",
    "truncation",
    "store",
    "background",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "user",
];

/// How a response stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// Null if a clause takes the word away.
    pub(super) status: Option<&'static str>,
    /// Why it is incomplete.
    pub(super) reason: Option<&'static str>,
    pub(super) error: Option<Value>,
    pub(super) error_type: Option<&'static str>,
}

impl Standing {
    /// It has this status.
    pub(super) fn of(status: &'static str) -> Self {
        Self {
            status: Some(status),
            ..Self::default()
        }
    }

    /// How an answer with this finish reason stands.
    pub(super) fn finished(finish: &str) -> Self {
        let reason = match finish {
            "length" => "max_output_tokens",
            "content_filter" => "content_filter",
            "error" => return Self::of("failed"),
            _ => return Self::of("completed"),
        };
        Self {
            reason: Some(reason),
            ..Self::of("incomplete")
        }
    }

    /// It failed with this error.
    pub(super) fn failed(inside: &Inside) -> Self {
        Self {
            error: Some(json!({"code": error_code(inside), "message": inside.message})),
            error_type: inside.kind,
            ..Self::of("failed")
        }
    }
}

/// The word of an error inside a 200: the given one, or that of its status.
pub(super) fn error_code(inside: &Inside) -> String {
    match &inside.code {
        Value::String(word) => word.clone(),
        _ => code(inside.status, inside.kind).to_owned(),
    }
}

#[derive(Serialize)]
struct Object<'a> {
    id: String,
    object: &'static str,
    created_at: u64,
    completed_at: Option<u64>,
    status: Option<&'a str>,
    error: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'a str>,
    incomplete_details: Option<Value>,
    model: &'a str,
    output: &'a [Value],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Box<RawValue>>,
    service_tier: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    openrouter_metadata: Option<&'a Value>,
    #[serde(flatten)]
    echo: Map<String, Value>,
}

/// The object as JSON.
pub(super) fn object(head: &Head, standing: Standing, output: &[Value], usage: Option<Box<RawValue>>) -> String {
    let ended = standing.status != Some("in_progress");
    let echo = ECHO.iter().map(|(name, default)| {
        let asked = head.asked.get(*name).cloned();
        let value = asked.unwrap_or_else(|| serde_json::from_str(default).unwrap_or_default());
        ((*name).to_owned(), value)
    });
    let asked = ECHO_IF_ASKED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), head.asked.get(*name)?.clone())));
    let object = Object {
        id: head.id_as("resp"),
        object: "response",
        created_at: head.created,
        completed_at: (standing.status == Some("completed")).then_some(head.created),
        status: standing.status,
        error: standing.error,
        error_type: standing.error_type,
        incomplete_details: standing.reason.map(|reason| json!({"reason": reason})),
        model: &head.model,
        output,
        usage,
        service_tier: head.tier,
        openrouter_metadata: head.metadata.as_ref().filter(|_| ended),
        echo: echo.chain(asked).collect(),
    };
    serde_json::to_string(&object).unwrap_or_default()
}

/// A message of the assistant; `part` is its kind of text.
pub(super) fn message(head: &Head, part: Value, status: &str) -> Value {
    let content = if part.is_null() { Vec::new() } else { vec![part] };
    json!({"type": "message", "id": head.id_as("msg"), "role": "assistant", "status": status, "content": content})
}

/// A part of a message: text, or a refusal.
pub(super) fn part(text: &str, is_refusal: bool) -> Value {
    if is_refusal {
        json!({"type": "refusal", "refusal": text})
    } else {
        json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
    }
}

/// An item of reasoning.
pub(super) fn reasoning(head: &Head, text: Option<&str>, format: &str) -> Value {
    let content: Vec<Value> = text
        .map(|text| json!({"type": "reasoning_text", "text": text}))
        .into_iter()
        .collect();
    json!({"type": "reasoning", "id": head.id_as("rs"), "summary": [], "content": content, "format": format})
}

/// A function call.
pub(super) fn function_call(head: &Head, call_id: &str, name: &str, arguments: &str, status: &str) -> Value {
    json!({"type": "function_call", "id": head.id_as("fc"), "call_id": call_id, "name": name,
           "arguments": arguments, "status": status})
}

/// The plain body.
pub(crate) fn plain(head: &Head, shown: &Shown<'_>, answer: &Answer, faults: &[Fault]) -> String {
    let inside = shown.failed.as_ref().map(|failed| Inside::new(&failed.code, faults));
    let standing = match (&inside, shown.finish) {
        (Some(inside), _) => Standing::failed(inside),
        (None, Some(finish)) => Standing::finished(finish),
        (None, None) if faults.contains(&Fault::NoFinish) => Standing::of("in_progress"),
        (None, None) if faults.contains(&Fault::NoFinishReason) => Standing::default(),
        (None, None) => Standing::of("completed"),
    };
    let status = if inside.is_some() { "incomplete" } else { "completed" };
    let mut output = Vec::new();
    if shown.is_null {
        output.push(Value::Null);
    } else if shown.is_there && !shown.failed.as_ref().is_some_and(|failed| failed.alone) {
        let thought = shown.reasoning.as_deref();
        output.extend(thought.map(|text| reasoning(head, Some(text), answer.format)));
        if !shown.text.is_empty() || shown.finish.is_none() {
            let part = part(&shown.text, shown.finish == Some("refusal"));
            output.push(message(head, part, status));
        }
        let call = shown.call.as_ref();
        output.extend(call.map(|(id, name, arguments)| function_call(head, id, name, arguments, status)));
    }
    let usage = shown.usage.as_ref().map(|tally| usage(tally, faults));
    object(head, standing, &output, usage)
}
