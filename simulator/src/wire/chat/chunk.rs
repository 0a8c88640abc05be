//! One chunk of a streamed answer.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A `chat.completion.chunk`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) provider: &'a str,
    /// On the chunk with the usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Value>,
    /// Null is one that a clause asks for.
    pub(super) choices: &'a [Option<Choice<'a>>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) openrouter_metadata: Option<&'a Value>,
}

/// Its one choice.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Choice<'a> {
    pub(super) index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<Delta<'a>>,
    pub(super) finish_reason: Option<&'a str>,
    pub(super) native_finish_reason: Option<&'a str>,
    pub(super) logprobs: Option<()>,
}

impl Default for Choice<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            message: None,
            delta: Some(Delta::default()),
            finish_reason: None,
            native_finish_reason: None,
            logprobs: None,
        }
    }
}

/// What is new in it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Delta<'a> {
    pub(super) role: &'static str,
    pub(super) content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<Value>,
}

/// Text, or a list of parts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(&'a str),
    Parts(Value),
}

impl Default for Delta<'_> {
    fn default() -> Self {
        Self {
            role: "assistant",
            content: Some(Content::Text("")),
            reasoning: None,
            reasoning_details: None,
            tool_calls: None,
            function_call: None,
        }
    }
}
