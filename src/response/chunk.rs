use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FinishReason, Usage, lenient};

/// One piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatChunk {
    /// The generation's id, the same in each chunk.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// `chat.completion.chunk`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub object: String,
    /// When the answer was begun, in Unix seconds.
    #[serde(deserialize_with = "lenient::or_default")]
    pub created: u64,
    /// The model that answers; it may be a dated slug.
    #[serde(deserialize_with = "lenient::or_default")]
    pub model: String,
    /// The provider's display name.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What is new; empty in some usage chunks.
    #[serde(deserialize_with = "lenient::list")]
    pub choices: Vec<ChunkChoice>,
    /// What it used and cost: once, near the end, in any chunk.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What is new in one of the answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChunkChoice {
    /// Which one.
    #[serde(deserialize_with = "lenient::or_default")]
    pub index: u64,
    /// What is new.
    #[serde(deserialize_with = "lenient::or_default")]
    pub delta: Delta,
    /// Why it ended; repeated in the usage chunk.
    #[serde(deserialize_with = "lenient::optional")]
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for it.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<String>,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Delta {
    /// `assistant`, in the first chunk or in each.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Text; often empty.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Reasoning as plain text.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The same with its signatures.
    #[serde(deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
    /// Why the model refuses, in its words.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Pieces of tool calls, to be put together by index.
    #[serde(deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallFragment>,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A piece of a tool call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolCallFragment {
    /// Which call it belongs to.
    #[serde(deserialize_with = "lenient::or_default")]
    pub index: u64,
    /// In the first piece of a call.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`, in the first piece of a call.
    #[serde(rename = "type", deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What is called.
    #[serde(deserialize_with = "lenient::or_default")]
    pub function: FunctionFragment,
}

/// A piece of a function's name and arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FunctionFragment {
    /// Its name, in the first piece.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The next piece of its arguments.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}
