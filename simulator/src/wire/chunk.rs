//! One chunk of a streamed answer.

use serde::Serialize;
use serde_json::Value;

use super::usage::Usage;

/// A `chat.completion.chunk`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Chunk<'a> {
    pub(crate) id: &'a str,
    pub(crate) object: &'static str,
    pub(crate) created: u64,
    pub(crate) model: &'a str,
    pub(crate) provider: &'a str,
    /// On the chunk with the usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
    pub(crate) choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) openrouter_metadata: Option<&'a Value>,
}

/// Its one choice.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Choice<'a> {
    pub(crate) index: u32,
    pub(crate) delta: Delta<'a>,
    pub(crate) finish_reason: Option<&'a str>,
    pub(crate) native_finish_reason: Option<&'a str>,
    pub(crate) logprobs: Option<()>,
}

/// What is new in it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Delta<'a> {
    pub(crate) role: &'static str,
    pub(crate) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_details: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<Value>,
}

impl Default for Delta<'_> {
    fn default() -> Self {
        Self {
            role: "assistant",
            content: Some(""),
            reasoning: None,
            reasoning_details: None,
            tool_calls: None,
        }
    }
}
