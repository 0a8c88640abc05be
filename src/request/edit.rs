//! Changes to a request in place, for the layers it passes through.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};
use tower_llm_layers::UsdAmount;

use super::chat::ChatRequest;
use super::message::Message;
use super::scan::json_string;

impl ChatRequest {
    /// Names another model.
    pub fn set_model(&mut self, model: &str) {
        self.put_model(model.into(), json_string(model).into());
    }

    /// Names another model, whose name is shared already.
    pub fn set_model_shared(&mut self, model: Arc<str>) {
        let json = json_string(&model);
        self.put_model(model, json.into());
    }

    /// Gives other fallback models, which OpenRouter tries by itself: at most three. None at all takes the field away.
    pub fn set_models<S: AsRef<str>>(&mut self, models: impl IntoIterator<Item = S>) {
        let mut json = vec![b'['];
        for model in models {
            if json.len() > 1 {
                json.push(b',');
            }
            json.extend_from_slice(&json_string(model.as_ref()));
        }
        if json.len() == 1 {
            self.take("models");
        } else {
            json.push(b']');
            self.put("models", json.into());
        }
    }

    /// Has OpenRouter stop the loop of its tools after this cost, and after the steps that the request allows now. Conditions that are there
    /// stay: any one of them stops the loop.
    pub(super) fn stop_tools_after(&mut self, most: UsdAmount) {
        let tool_loop = self.facts().tool_loop;
        let known = self.get_raw("stop_server_tools_when").and_then(inside_of_array);
        let mut conditions = known.unwrap_or_default().to_vec();
        let mut add = |condition: String| {
            if !conditions.is_empty() {
                conditions.push(b',');
            }
            conditions.extend_from_slice(condition.as_bytes());
        };
        // Conditions replace `max_tool_calls`.
        if known.is_none() || tool_loop.is_some_and(|tool_loop| !tool_loop.is_bounded) {
            let steps = tool_loop.map_or(1, |tool_loop| tool_loop.steps);
            add(format!(r#"{{"type":"step_count_is","step_count":{steps}}}"#));
        }
        let dollars = most.to_string();
        let dollars = dollars.trim_start_matches('$');
        add(format!(r#"{{"type":"max_cost","max_cost_in_dollars":{dollars}}}"#));
        self.put(
            "stop_server_tools_when",
            [b"[", conditions.as_slice(), b"]"].concat().into(),
        );
    }

    /// Asks for a stream, or for the whole answer at once.
    pub fn set_stream(&mut self, stream: bool) {
        if self.is_streaming() != stream
            || self
                .get_raw("stream")
                .is_some_and(|raw| raw != b"true" && raw != b"false")
        {
            self.put("stream", Bytes::from_static(if stream { b"true" } else { b"false" }));
        }
    }

    /// Limits the answer to so many tokens: in whichever of `max_completion_tokens` and `max_tokens` is there, in both if both are, and in `max_tokens`
    /// if neither is.
    pub fn set_max_tokens(&mut self, tokens: u64) {
        let json = Bytes::from(tokens.to_string());
        let newer = self.document().has("max_completion_tokens");
        if newer {
            self.put("max_completion_tokens", json.clone());
        }
        if !newer || self.document().has("max_tokens") {
            self.put("max_tokens", json);
        }
    }

    /// Gives other messages.
    pub fn set_messages(&mut self, messages: &[Message]) {
        self.put("messages", encode(&messages));
    }

    /// Adds a message behind the others. The others are copied, not read.
    pub fn push_message(&mut self, message: &Message) {
        self.splice(message, false);
    }

    /// Puts a message before the others. The others are copied, not read.
    pub fn push_front(&mut self, message: &Message) {
        self.splice(message, true);
    }

    /// Begins the model's message with this text, after what was begun of it already. `None` if what was begun is no text.
    pub(super) fn begin_answer(&mut self, text: &str) -> Option<()> {
        if !self.facts().prefill {
            self.push_message(&Message::assistant(text));
            return Some(());
        }
        let mut messages: Vec<&RawValue> = serde_json::from_slice(self.get_raw("messages")?).ok()?;
        let mut begun: Map<String, Value> = serde_json::from_str(messages.pop()?.get()).ok()?;
        let Value::String(content) = begun.get_mut("content")? else {
            return None;
        };
        content.push_str(text);
        let begun = serde_json::value::to_raw_value(&begun).ok()?;
        messages.push(&begun);
        let messages = encode(&messages);
        self.put("messages", messages);
        Some(())
    }

    /// Takes a field away. Answers whether it was there.
    pub fn remove(&mut self, field: &str) -> bool {
        self.take(field)
    }

    fn splice(&mut self, message: &Message, front: bool) {
        let message = encode(message);
        let others = self.get_raw("messages").unwrap_or_default();
        let inside = others
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
            .unwrap_or_default()
            .trim_ascii();
        let mut json = Vec::with_capacity(inside.len() + message.len() + 3);
        json.push(b'[');
        let (first, second) = if front {
            (&*message, inside)
        } else {
            (inside, &*message)
        };
        json.extend_from_slice(first);
        if !inside.is_empty() {
            json.push(b',');
        }
        json.extend_from_slice(second);
        json.push(b']');
        self.put("messages", json.into());
    }
}

/// A value of this module's as JSON. All of them have a form: none has a map with other keys than strings.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Bytes {
    serde_json::to_vec(value).map_or(Bytes::from_static(b"null"), Bytes::from)
}

/// What stands between the brackets of an array, if anything does.
fn inside_of_array(raw: &[u8]) -> Option<&[u8]> {
    let inside = raw.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    (!inside.is_empty()).then_some(inside)
}
