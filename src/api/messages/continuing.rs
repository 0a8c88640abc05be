//! A request that has another call continue an interrupted message.

use serde_json::{Map, Value, json, value::RawValue};
use tower_llm_layers::{Candidate, Continuable, ContinueBy};

use super::MessagesRequest;
use crate::request::{encode, instruction, way_of};
use openrouter_wire::json::member;

impl Continuable for MessagesRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        let facts = self.facts();
        if facts.structured_outputs || facts.json_mode || facts.forced_tool_choice {
            return None;
        }
        let mut next = self.clone();
        if !shown.is_empty() {
            next.begin_answer(shown)?;
            next.think_no_more();
        }
        Some(next)
    }

    fn continue_by(candidate: &Candidate) -> ContinueBy {
        way_of(candidate)
    }
}

impl MessagesRequest {
    /// Begins the message of the model, or adds to the one that the request has begun.
    fn begin_answer(&mut self, text: &str) -> Option<()> {
        let mut messages: Vec<&RawValue> = serde_json::from_slice(self.read_raw("messages")?).ok()?;
        let begun = if self.facts().prefill {
            let mut begun: Map<String, Value> = serde_json::from_str(messages.pop()?.get()).ok()?;
            match begun.get_mut("content")? {
                Value::String(content) => content.push_str(text),
                Value::Array(blocks) => match blocks.last_mut()?.get_mut("text")? {
                    Value::String(content) => content.push_str(text),
                    _ => return None,
                },
                _ => return None,
            }
            serde_json::value::to_raw_value(&begun)
        } else {
            serde_json::value::to_raw_value(&json!({"role": "assistant", "content": text}))
        }
        .ok()?;
        messages.push(&begun);
        let messages = encode(&messages);
        self.body.put("messages", messages);
        Some(())
    }

    /// Takes away the budget of thoughts: the text has begun, a begun message is rejected with it, and it may exceed the tokens that are left.
    fn think_no_more(&mut self) {
        let is_budget = |raw: &[u8]| member(raw, "type").is_some_and(|kind| kind.is("enabled"));
        if self.read_raw("thinking").is_some_and(is_budget) {
            self.body.take("thinking");
        }
    }

    /// Asks for the rest of the message that the request ends with. Returns whether the request says so now.
    pub(super) fn instruct_to_continue(&mut self, last: &str) -> bool {
        let Some(Ok(mut messages)) = self.read_raw("messages").map(serde_json::from_slice::<Vec<&RawValue>>) else {
            return false;
        };
        let Ok(told) = serde_json::value::to_raw_value(&json!({"role": "user", "content": instruction(last)})) else {
            return false;
        };
        messages.push(&told);
        let messages = encode(&messages);
        self.body.put("messages", messages);
        true
    }
}
