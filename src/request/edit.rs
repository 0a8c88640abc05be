//! Changes to a request in place, for the layers it passes through.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, value::RawValue};

use super::body::inside_of_array;
use super::chat::ChatRequest;
use openrouter_wire::chat::Message;

impl ChatRequest {
    /// Gives other messages.
    pub fn set_messages(&mut self, messages: &[Message]) {
        self.body.put("messages", encode(&messages));
    }

    /// Adds a message behind the others. The others are copied, not read.
    pub fn push_message(&mut self, message: &Message) {
        self.splice(&encode(message), false);
    }

    /// Adds messages behind the others, which are copied once.
    pub fn push_messages(&mut self, messages: &[Message]) {
        let added = encode(&messages);
        if let Some(added) = inside_of_array(&added).filter(|added| !added.is_empty()) {
            self.splice(added, false);
        }
    }

    /// Puts a message before the others. The others are copied, not read.
    pub fn push_front(&mut self, message: &Message) {
        self.splice(&encode(message), true);
    }

    /// Begins the model's message with this text, after what was begun of it already. `None` if what was begun is no text.
    pub(crate) fn begin_answer(&mut self, text: &str) -> Option<()> {
        if !self.facts().prefill {
            self.push_message(&Message::assistant(text));
            return Some(());
        }
        let mut messages: Vec<&RawValue> = serde_json::from_slice(self.read_raw("messages")?).ok()?;
        let mut begun: Map<String, Value> = serde_json::from_str(messages.pop()?.get()).ok()?;
        let Value::String(content) = begun.get_mut("content")? else {
            return None;
        };
        content.push_str(text);
        let begun = serde_json::value::to_raw_value(&begun).ok()?;
        messages.push(&begun);
        let messages = encode(&messages);
        self.body.put("messages", messages);
        Some(())
    }

    fn splice(&mut self, message: &[u8], front: bool) {
        let others = self.read_raw("messages").unwrap_or_default();
        let inside = inside_of_array(others).unwrap_or_default();
        let mut json = Vec::with_capacity(inside.len() + message.len() + 3);
        json.push(b'[');
        let (first, second) = if front { (message, inside) } else { (inside, message) };
        json.extend_from_slice(first);
        if !inside.is_empty() {
            json.push(b',');
        }
        json.extend_from_slice(second);
        json.push(b']');
        self.body.put("messages", json.into());
    }
}

/// A value of this module's as JSON. All of them have a form: none has a map with other keys than strings.
pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Bytes {
    serde_json::to_vec(value).map_or(Bytes::from_static(b"null"), Bytes::from)
}
