//! Messages: what a conversation is made of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    chat::{Part, ToolCall},
    view::open_enum,
};

open_enum! {
    /// The role of a message's author.
    Role {
        /// Instructions from the operator of the application.
        System = "system",
        /// The same under its newer name.
        Developer = "developer",
        /// The person, or whatever asks.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// The answer of a tool the model called.
        Tool = "tool",
    }
}

/// One message. Fields this version does not know stay in `extra` and go out again.
///
/// ```
/// use openrouter_wire::chat::{Message, Part};
///
/// let messages = [
///     Message::system("Answer in one sentence."),
///     Message::user([Part::text("What is this?"), Part::image_url("https://example.com/cat.png")]),
/// ];
/// assert_eq!(serde_json::to_value(&messages)?[1]["content"][0]["text"], "What is this?");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// The role of its author.
    pub role: Role,
    /// The content. An assistant message that only calls tools has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// A name for the speaker, if there are several of one role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a tool's message: the call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// Of an assistant's message: the tools it calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCall>>,
    /// Of an assistant's message: why it will not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Of an assistant's message: its reasoning as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// Of an assistant's message: its reasoning as it came, which some models want back unchanged and in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_details: Option<Vec<Value>>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Message {
    /// A message of any role.
    #[must_use]
    pub fn new(role: impl Into<Role>, content: impl Into<Content>) -> Self {
        Self {
            role: role.into(),
            content: Some(content.into()),
            name: None,
            tool_call_id: None,
            tool_calls: None,
            refusal: None,
            reasoning: None,
            reasoning_details: None,
            extra: Map::new(),
        }
    }

    /// Instructions.
    #[must_use]
    pub fn system(content: impl Into<Content>) -> Self {
        Self::new(Role::System, content)
    }

    /// Instructions, under the newer name of the role.
    #[must_use]
    pub fn developer(content: impl Into<Content>) -> Self {
        Self::new(Role::Developer, content)
    }

    /// What the user says.
    #[must_use]
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new(Role::User, content)
    }

    /// What the model said before; as the last message, what it is to continue.
    #[must_use]
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// What a tool answers to a call.
    #[must_use]
    pub fn tool(call_id: impl Into<String>, content: impl Into<Content>) -> Self {
        Self {
            tool_call_id: Some(call_id.into()),
            ..Self::new(Role::Tool, content)
        }
    }

    /// The tool calls an assistant made.
    #[must_use]
    pub fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        Self {
            content: None,
            tool_calls: Some(calls.into_iter().collect()),
            ..Self::new(Role::Assistant, "")
        }
    }

    /// Names the speaker.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Gives the reasoning of an assistant back, as it came.
    #[must_use]
    pub fn reasoning_details(mut self, details: impl IntoIterator<Item = Value>) -> Self {
        self.reasoning_details = Some(details.into_iter().collect());
        self
    }

    /// The text of the message: its string, or its text parts one after another.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.content {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => parts.iter().filter_map(Part::as_text).collect(),
            None => String::new(),
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Text, pictures, sound, files.
    Parts(Vec<Part>),
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Part> for Content {
    fn from(part: Part) -> Self {
        Self::Parts(vec![part])
    }
}

impl From<Vec<Part>> for Content {
    fn from(parts: Vec<Part>) -> Self {
        Self::Parts(parts)
    }
}

impl<const N: usize> From<[Part; N]> for Content {
    fn from(parts: [Part; N]) -> Self {
        Self::Parts(parts.into())
    }
}
