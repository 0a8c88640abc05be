//! The body of a plain answer.

use serde::Serialize;
use serde_json::Value;

use super::usage::Usage;

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
