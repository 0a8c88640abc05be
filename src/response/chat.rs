use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FinishReason, Usage, lenient};

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChatResponse {
    /// The generation's id: its bill can be looked up by it.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// `chat.completion`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub object: String,
    /// When it was made, in Unix seconds.
    #[serde(deserialize_with = "lenient::or_default")]
    pub created: u64,
    /// The model that answered; it may be a dated slug, and so not the name that was asked for.
    #[serde(deserialize_with = "lenient::or_default")]
    pub model: String,
    /// The provider's display name.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The answers; one in practice.
    #[serde(deserialize_with = "lenient::list")]
    pub choices: Vec<Choice>,
    /// What it used and cost.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The tier that served it.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ChatResponse {
    /// The first choice's message.
    #[must_use]
    pub fn message(&self) -> Option<&AnswerMessage> {
        self.choices.first().map(|choice| &choice.message)
    }

    /// The first choice's text; empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.message().map_or("", AnswerMessage::text)
    }
}

/// One of the answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Choice {
    /// Which one.
    #[serde(deserialize_with = "lenient::or_default")]
    pub index: u64,
    /// What was said.
    #[serde(deserialize_with = "lenient::or_default")]
    pub message: AnswerMessage,
    /// Why it ended.
    #[serde(deserialize_with = "lenient::optional")]
    pub finish_reason: Option<FinishReason>,
    /// The provider's own word for it.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<String>,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AnswerMessage {
    /// `assistant`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub role: String,
    /// The text; `None` or empty with tool calls, or when all tokens went to reasoning.
    #[serde(deserialize_with = "lenient::optional")]
    pub content: Option<String>,
    /// Why the model refused, in its words.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The reasoning as plain text.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The reasoning with its signatures: to be sent back unchanged and in order in the next turn.
    #[serde(deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub reasoning_details: Vec<Value>,
    /// Tools it calls.
    #[serde(deserialize_with = "lenient::list", skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Everything else, as it came: images, audio, annotations.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl AnswerMessage {
    /// The text; empty where there is none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.content.as_deref().unwrap_or("")
    }
}

/// A tool that the model calls.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ToolCall {
    /// Names the call; the tool's answer refers to it.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// `function`.
    #[serde(rename = "type", deserialize_with = "lenient::or_default")]
    pub kind: String,
    /// What is called.
    #[serde(deserialize_with = "lenient::or_default")]
    pub function: FunctionCall,
    /// Everything else, as it came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A function with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FunctionCall {
    /// Its name.
    #[serde(deserialize_with = "lenient::or_default")]
    pub name: String,
    /// Its arguments: JSON in a string, which a model may get wrong.
    #[serde(deserialize_with = "lenient::or_default")]
    pub arguments: String,
}
