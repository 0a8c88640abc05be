//! The answer so far.

use std::{collections::BTreeMap, mem};

use bytes::Bytes;
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use super::merge::{add_delta, add_logprobs, overwrite};
use crate::{ChatFrame, Error, FailureKind, FrameKind, frame::unreadable};

/// The largest answer that is put together, in bytes of its stream: as that of a plain one.
const LARGEST: usize = 256 * 1024 * 1024;

/// Chunks, put together as they come.
#[derive(Default)]
pub(crate) struct Gathered {
    /// What stands beside the choices, to the letter: amounts of money are among it.
    envelope: BTreeMap<String, Box<RawValue>>,
    choices: BTreeMap<u64, Choice>,
    bytes: usize,
}

#[derive(Default)]
struct Choice {
    /// What stands beside the message.
    beside: Map<String, Value>,
    message: Map<String, Value>,
}

impl Gathered {
    pub(crate) fn take(&mut self, frame: &ChatFrame) -> Result<(), Error> {
        match frame.kind() {
            FrameKind::KeepAlive => return Ok(()),
            FrameKind::Chunk | FrameKind::Answer => {}
        }
        self.bytes = self.bytes.saturating_add(frame.bytes().len());
        if self.bytes > LARGEST {
            let message = format!("the answer is over {} MiB: ask for less in one call", LARGEST >> 20);
            return Err(Error::new(FailureKind::Malformed, message));
        }
        let unread = |cause| unreadable("this frame is not a chunk of a stream", &cause);
        let chunk: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(frame.bytes()).map_err(unread)?;
        for (name, value) in chunk {
            match name.as_str() {
                "choices" => {
                    let choices: Option<Vec<Value>> = serde_json::from_str(value.get()).map_err(unread)?;
                    choices.into_iter().flatten().for_each(|choice| self.choice(choice));
                }
                "object" => {}
                // What is said later counts, unless it says nothing.
                _ if value.get() == "null" && self.envelope.contains_key(&name) => {}
                _ => {
                    self.envelope.insert(name, value);
                }
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: Value) {
        let Value::Object(choice) = choice else { return };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let known = self.choices.entry(index).or_default();
        for (name, value) in choice {
            match (name.as_str(), value) {
                ("delta" | "message", Value::Object(delta)) => add_delta(&mut known.message, delta),
                ("logprobs", Value::Object(logprobs)) => add_logprobs(&mut known.beside, logprobs),
                ("index" | "delta", _) => {}
                (_, value) => overwrite(&mut known.beside, name, value),
            }
        }
    }

    /// The text so far, of the first choice.
    pub(crate) fn text(&self) -> &str {
        let first = self.choices.values().next();
        let text = first.and_then(|choice| choice.message.get("content")?.as_str());
        text.unwrap_or_default()
    }

    /// The answer as a plain call would have brought it.
    pub(crate) fn whole(mut self) -> Result<Bytes, Error> {
        let choices = mem::take(&mut self.choices).into_iter().map(|(index, choice)| {
            let mut all = choice.beside;
            all.insert("index".to_owned(), index.into());
            all.insert("message".to_owned(), Value::Object(choice.message));
            Value::Object(all)
        });
        let choices: Value = choices.collect();
        let mut answer = self.envelope;
        let written = to_raw_value(&choices).and_then(|choices| {
            answer.insert("choices".to_owned(), choices);
            answer.insert("object".to_owned(), to_raw_value("chat.completion")?);
            serde_json::to_vec(&answer)
        });
        written
            .map(Bytes::from)
            .map_err(|cause| unreadable("this answer cannot be written", &cause))
    }
}
