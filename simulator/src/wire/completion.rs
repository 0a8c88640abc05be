//! The body of a plain answer.

use serde::Serialize;
use serde_json::{Value, json};

use super::usage::{Tally, Usage};
use crate::answer::{Answer, Piece};
use crate::fault::Fault;
use crate::stage::sse::{Head, error_object};

/// A `chat.completion`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Completion<'a> {
    pub(crate) id: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) system_fingerprint: Option<&'a str>,
    pub(crate) service_tier: Option<&'a str>,
    pub(crate) choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) openrouter_metadata: Option<&'a Value>,
}

/// Its one choice.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u32,
    pub(crate) logprobs: Option<()>,
    pub(crate) finish_reason: Option<&'a str>,
    pub(crate) native_finish_reason: Option<&'a str>,
    pub(crate) message: Message<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
}

/// The assistant's message.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Message<'a> {
    pub(crate) role: &'static str,
    pub(crate) content: &'a str,
    pub(crate) refusal: Option<&'a str>,
    pub(crate) reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<Value>,
}

/// The plain body, and whether it is paid for.
pub(crate) fn completion(head: &Head, answer: &Answer, faults: &[Fault]) -> (Vec<u8>, bool) {
    let nothing = Tally {
        prompt: answer.tally.prompt,
        ..Tally::default()
    };
    let mut finish = Some(answer.finish.as_str());
    let mut native = Some(answer.native.as_str());
    let mut content = answer.text(usize::MAX);
    let mut reasoning = answer.reasoning();
    let mut call = answer.call();
    let mut usage = Some(answer.tally.usage());
    let mut error = None;
    let mut choices = true;
    let mut billed = true;
    for fault in faults {
        match fault {
            Fault::Error(code) => {
                let body = json!({"error": error_object(code), "user_id": "user_2demo"});
                return (body.to_string().into_bytes(), false);
            }
            Fault::ErrorAt(code, at) => {
                let skipped = answer
                    .pieces
                    .iter()
                    .take_while(|p| matches!(p, Piece::Reasoning(_)))
                    .count();
                content = answer.text(skipped + usize::try_from(*at).unwrap_or(usize::MAX).min(answer.pieces.len()));
                error = Some(error_object(code));
                (finish, native, usage, call, billed) = (Some("error"), None, None, None, false);
            }
            Fault::FinishError => {
                (finish, native) = (Some("error"), Some("MALFORMED_FUNCTION_CALL"));
                (usage, call, reasoning, billed) = (Some(nothing.usage()), None, None, false);
                content.clear();
            }
            Fault::EmptyContent | Fault::RoleOnly | Fault::EmptyChoices => {
                (finish, native, usage) = (None, None, Some(nothing.usage()));
                (call, reasoning, billed) = (None, None, false);
                content.clear();
                choices = !matches!(fault, Fault::EmptyChoices);
            }
            Fault::NoFinish => (finish, native) = (None, None),
            Fault::NoUsage => usage = None,
            _ => {}
        }
    }
    if error.is_some() && faults.contains(&Fault::NoChoices) {
        choices = false;
    }
    let details = reasoning
        .as_ref()
        .map(|text| json!([{"type": "reasoning.text", "text": text, "format": answer.format, "index": 0}]));
    let calls = call.map(|(id, name, arguments)| {
        json!([{"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}])
    });
    let message = Message {
        role: "assistant",
        content: &content,
        refusal: None,
        reasoning: reasoning.as_deref(),
        reasoning_details: details,
        tool_calls: calls,
    };
    let choice = Choice {
        index: 0,
        logprobs: None,
        finish_reason: finish,
        native_finish_reason: native,
        message,
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
        choices: if choices { vec![choice] } else { Vec::new() },
        usage,
        openrouter_metadata: head.metadata.as_ref(),
    };
    (serde_json::to_vec(&body).unwrap_or_default(), billed)
}
