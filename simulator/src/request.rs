//! The request, as far as an answer depends on it.

use serde::Deserialize;
use serde_json::Value;

use crate::money::Cost;

/// A request in the words of chat; those of the other APIs are read into the same. What is not named here is of no consequence.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Request {
    pub(crate) model: Option<String>,
    pub(crate) models: Vec<String>,
    pub(crate) messages: Vec<Message>,
    pub(crate) stream: Option<bool>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) max_completion_tokens: Option<u64>,
    pub(crate) tools: Vec<Value>,
    pub(crate) tool_choice: Value,
    pub(crate) response_format: Value,
    pub(crate) reasoning: Value,
    pub(crate) reasoning_effort: Option<String>,
    pub(crate) include_reasoning: Option<bool>,
    pub(crate) session_id: Option<String>,
    pub(crate) cache_control: Value,
    pub(crate) service_tier: Option<String>,
    pub(crate) provider: Value,
    /// How many answers.
    pub(crate) n: Option<u64>,
    pub(crate) plugins: Value,
    pub(crate) max_tool_calls: Option<u64>,
    pub(crate) stop_server_tools_when: Value,
    /// The tokens of the prompt, if they are not those of the messages.
    #[serde(skip)]
    pub(crate) prompt: Option<u64>,
}

/// One message of the conversation.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) content: Value,
}

impl Message {
    /// Its text, all parts joined.
    pub(crate) fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
            _ => String::new(),
        }
    }

    /// Whether one of its parts is a document.
    pub(crate) fn has_file(&self) -> bool {
        let parts = self.content.as_array();
        parts.is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part.get("type").and_then(Value::as_str) == Some("file"))
        })
    }

    /// Whether one of its parts is an image.
    pub(crate) fn has_image(&self) -> bool {
        self.content.as_array().is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part.get("type").and_then(Value::as_str) == Some("image_url"))
        })
    }
}

impl Request {
    /// The cap on completion tokens, reasoning included. Which of two limits a server obeys is not known: the larger costs more.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.max_completion_tokens.max(self.max_tokens)
    }

    /// Whether it asks for vectors, not for text.
    pub(crate) fn is_embedding(&self) -> bool {
        self.prompt.is_some()
    }

    /// Four bytes of message text are a token.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        let text = || {
            self.messages
                .iter()
                .map(|message| message.text().len() as u64)
                .sum::<u64>()
        };
        self.prompt.unwrap_or_else(|| text().div_ceil(4))
    }

    /// The text up to each mark for the cache, and whether it is to be kept for an hour. A mark on the whole stands at the end.
    pub(crate) fn marked_prefixes(&self) -> Vec<(String, bool)> {
        let (mut text, mut marked) = (String::new(), Vec::new());
        let for_an_hour = |control: &Value| control.get("ttl").and_then(Value::as_str) == Some("1h");
        for message in &self.messages {
            match &message.content {
                Value::Array(parts) => {
                    for part in parts {
                        text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
                        if let Some(control) = part.get("cache_control").filter(|control| control.is_object()) {
                            marked.push((text.clone(), for_an_hour(control)));
                        }
                    }
                }
                _ => text.push_str(&message.text()),
            }
        }
        if self.cache_control.is_object() {
            marked.push((text, for_an_hour(&self.cache_control)));
        }
        marked
    }

    /// The assistant's text that is to be continued.
    pub(crate) fn prefill(&self) -> Option<String> {
        self.messages
            .last()
            .filter(|last| last.role == "assistant")
            .map(Message::text)
    }

    /// The assistant's text that the last message asks to continue, and the end of it that the message names: what the answer begins with.
    pub(crate) fn instructed_to_continue(&self) -> Option<(String, String)> {
        let [.., begun, instruction] = self.messages.as_slice() else {
            return None;
        };
        if begun.role != "assistant" || instruction.role != "user" {
            return None;
        }
        let (begun, instruction) = (begun.text(), instruction.text());
        let mut ends = begun.char_indices().map(|(at, _)| begun.split_at(at).1);
        let last = ends.find(|end| instruction.ends_with(end))?.to_owned();
        Some((begun, last))
    }

    /// The text of the last message of the user, unless it asks to continue.
    pub(crate) fn question(&self) -> String {
        let instructions = usize::from(self.instructed_to_continue().is_some());
        self.messages
            .iter()
            .rev()
            .skip(instructions)
            .find(|message| message.role == "user")
            .map(Message::text)
            .unwrap_or_default()
    }

    /// Whether the last message is a tool's result.
    pub(crate) fn after_tool(&self) -> bool {
        self.messages.last().is_some_and(|last| last.role == "tool")
    }

    /// Whether the request asks for reasoning.
    pub(crate) fn wants_reasoning(&self) -> bool {
        let off = self.reasoning.get("enabled").and_then(Value::as_bool) == Some(false)
            || self.reasoning.get("effort").and_then(Value::as_str) == Some("none");
        let effort = self.reasoning_effort.as_deref().is_some_and(|effort| effort != "none");
        (self.reasoning.is_object() && !off) || effort || self.include_reasoning == Some(true)
    }

    /// How many words of reasoning the requested effort gives.
    pub(crate) fn thinking(&self) -> u32 {
        let effort = self.reasoning_effort.as_deref();
        match effort.or_else(|| self.reasoning.get("effort").and_then(Value::as_str)) {
            Some("minimal") => 3,
            Some("low") => 6,
            Some("high") => 24,
            _ => 12,
        }
    }

    /// The most that a token of this kind may cost: `provider.max_price`, which is in dollars per million.
    pub(crate) fn max_price(&self, kind: &str) -> Option<Cost> {
        let written = self.provider.get("max_price")?.get(kind)?;
        let text = written.as_str().map_or_else(|| written.to_string(), str::to_owned);
        let per_million: Cost = text.parse().ok()?;
        Some(Cost::from_pico(per_million.pico() / 1_000_000))
    }

    /// Whether reasoning is to be kept from the answer.
    pub(crate) fn hides_reasoning(&self) -> bool {
        self.reasoning.get("exclude").and_then(Value::as_bool) == Some(true) || self.include_reasoning == Some(false)
    }
}
