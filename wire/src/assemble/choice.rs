//! One choice of the answer so far.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    merge::{add, add_members, longer},
    node::{Joined, Node, Object, inside, is_null, members, write_name, write_object},
};
use crate::json::{Cursor, JsonError};
use crate::view::{Field, said_text};

/// A choice: what its deltas add up to, and what stands beside them.
#[derive(Default)]
pub(super) struct Choice {
    /// What stands beside the message.
    beside: Object,
    /// What the deltas add up to.
    message: Object,
    /// What the messages say that some servers send beside the deltas or behind them: the answer so far.
    snapshot: Object,
    /// Whether a delta has come.
    streamed: bool,
}

impl Choice {
    pub(super) fn add(&mut self, members: BTreeMap<Cow<'_, str>, &[u8]>) -> Result<(), JsonError> {
        let is_object = |value: &[u8]| value.first() == Some(&b'{');
        match members.get("delta") {
            Some(delta) if is_object(delta) => {
                self.streamed = true;
                add_members(&mut self.message, delta, 0)?;
            }
            // A delta that is the text itself.
            Some(delta) if inside(delta).is_some() => {
                self.streamed = true;
                add(&mut self.message, "content", delta, 0)?;
            }
            _ => {}
        }
        for (name, value) in members {
            match &*name {
                "message" if is_object(value) => self.see(value)?,
                "message" if inside(value).is_some() => self.see(&[b"{\"content\":", value, b"}"].concat())?,
                "index" | "delta" | "message" => {}
                "logprobs" if is_object(value) => add_logprobs(&mut self.beside, value)?,
                // A completion's text, and the tokens of each piece.
                "text" | "token_ids" => add(&mut self.beside, &name, value, 0)?,
                // A later value counts, unless it is null.
                _ if (is_null(value) || value == b"\"\"") && self.beside.contains_key(&*name) => {}
                _ => {
                    self.beside.insert(name.into(), Node::raw(value));
                }
            }
        }
        Ok(())
    }

    /// A message is what there is so far. Without any delta it may be a piece as well: then it does not begin with what is known.
    fn see(&mut self, message: &[u8]) -> Result<(), JsonError> {
        for (name, value) in members(message)? {
            match (inside(value), self.snapshot.get_mut(&*name)) {
                (Some(b""), Some(_)) => {}
                (Some(text), Some(Node::Text(known))) if !self.streamed && !text.starts_with(&known.text) => {
                    known.join(text);
                }
                (Some(text), _) => {
                    self.snapshot.insert(name.into(), Node::Text(Joined::once(text)));
                }
                (None, Some(_)) if is_null(value) => {}
                (None, _) => {
                    self.snapshot.insert(name.into(), Node::raw(value));
                }
            }
        }
        Ok(())
    }

    /// The member that counts: that of the deltas, unless they do not have it, or the snapshot continues them.
    fn member(&self, name: &str) -> Option<&Node> {
        let (known, seen) = (self.message.get(name), self.snapshot.get(name));
        match (known, seen) {
            (None, seen) => seen,
            (Some(Node::Text(known)), Some(Node::Text(seen))) if seen.text.starts_with(&known.text) => {
                self.snapshot.get(name)
            }
            (Some(Node::Text(known)), Some(seen)) if known.text.is_empty() && !seen.is_null() => Some(seen),
            (Some(known), Some(seen)) if known.is_null() => Some(seen),
            (known, _) => known,
        }
    }

    pub(super) fn text(&self) -> String {
        let content = self.member("content").filter(|content| !content.is_null());
        let Some(said) = content.or_else(|| self.beside.get("text")) else {
            return String::new();
        };
        let mut json = Vec::new();
        said.write(&mut json);
        let read = said_text(&mut Cursor::lenient(&json));
        read.ok().and_then(Field::into_value).unwrap_or_default()
    }

    /// A completion's text, if no message says anything in its place: clients of a chat look for the text in the message.
    fn completion(&self) -> Option<&Node> {
        let is_empty = |node: &Node| node.is_null() || matches!(node, Node::Text(known) if known.text.is_empty());
        let text = self.beside.get("text");
        text.filter(|text| matches!(text, Node::Text(known) if !known.text.is_empty()))
            .filter(|_| self.member("content").is_none_or(is_empty))
    }

    pub(super) fn write(&self, index: u64, out: &mut Vec<u8>) {
        out.push(b'{');
        write_name(true, "index", out);
        out.extend_from_slice(index.to_string().as_bytes());
        write_name(false, "message", out);
        let new = self.snapshot.keys().filter(|name| !self.message.contains_key(*name));
        let names = self.message.keys().chain(new);
        let content = self.completion().map(|text| ("content", text));
        let members = names
            .filter_map(|name| Some((&**name, self.member(name)?)))
            .filter(|(name, _)| content.is_none() || *name != "content");
        write_object(members.chain(content), out);
        for (name, node) in &self.beside {
            write_name(false, name, out);
            node.write(out);
        }
        out.push(b'}');
    }
}

/// Adds the log-probabilities of the tokens in one chunk.
fn add_logprobs(beside: &mut Object, logprobs: &[u8]) -> Result<(), JsonError> {
    let known = beside
        .entry("logprobs".into())
        .or_insert_with(|| Node::Object(Object::new()));
    if !matches!(known, Node::Object(_)) {
        *known = Node::Object(Object::new());
    }
    let Node::Object(known) = known else { return Ok(()) };
    for (name, value) in members(logprobs)? {
        match value.first() {
            Some(b'[') => {
                let list = longer(known.remove(&*name), value)?;
                known.insert(name.into(), list);
            }
            _ if is_null(value) && known.contains_key(&*name) => {}
            _ => {
                known.insert(name.into(), Node::raw(value));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use crate::{Api, assemble::Assembler};

    fn assembled(choices: &[&str]) -> (String, Value) {
        let mut answer = Assembler::default();
        for choice in choices {
            let chunk = Bytes::from(format!(r#"{{"choices":[{choice}]}}"#));
            answer.add(Api::Chat, &chunk, false).unwrap();
        }
        let text = answer.text();
        (text, serde_json::from_slice(&answer.whole()).unwrap())
    }

    #[test]
    fn a_delta_or_a_message_that_is_a_text_is_its_content() {
        let stop = r#"{"delta":{},"finish_reason":"stop"}"#;
        let (text, whole) = assembled(&[
            r#"{"delta":{"role":"assistant"}}"#,
            r#"{"delta":"Hel"}"#,
            r#"{"delta":"lo"}"#,
            stop,
        ]);
        assert_eq!(text, "Hello");
        assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
        let (text, whole) = assembled(&[r#"{"message":"Hello"}"#, stop]);
        assert_eq!(text, "Hello");
        assert_eq!(whole["choices"][0]["message"]["content"], "Hello");
    }

    #[test]
    fn the_text_of_a_completion_is_the_content_of_its_message() {
        let end = r#"{"text":"","finish_reason":"stop"}"#;
        for (choices, content) in [
            ([r#"{"text":"Hel"}"#, r#"{"text":"lo"}"#, end], "Hello"),
            (
                [
                    r#"{"text":"Hello","delta":{"role":"assistant","content":""}}"#,
                    end,
                    end,
                ],
                "Hello",
            ),
            ([r#"{"text":"Hello","message":{"content":null}}"#, end, end], "Hello"),
            // What a delta says counts.
            (
                [r#"{"text":"all of it","delta":{"content":"Hello"}}"#, end, end],
                "Hello",
            ),
        ] {
            let (_, whole) = assembled(&choices);
            assert_eq!(whole["choices"][0]["message"]["content"], content, "{choices:?}");
        }
        let (_, whole) = assembled(&[end]);
        assert_eq!(whole["choices"][0]["message"].get("content"), None);
    }
}
