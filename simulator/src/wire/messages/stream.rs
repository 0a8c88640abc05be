//! A streamed answer in the events of Messages.

use serde_json::{Value, json};

use super::message::{SIGNATURE, message, stop_details, stop_reason, text_block, thinking, tool_use};
use super::{UsagePosition, error, usage};
use crate::answer::{Answer, Piece, Tally};
use crate::fault::Fault;
use crate::track::{Act, Track};
use crate::wire::inside::Inside;
use crate::wire::{Head, Writer, event};

/// The kind of the block that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Thinking,
    Text,
    Tool,
}

/// Writes events.
pub(crate) struct Stream<'a> {
    head: &'a Head,
    answer: &'a Answer,
    faults: &'a [Fault],
    open: Option<Block>,
    index: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(head: &'a Head, answer: &'a Answer, faults: &'a [Fault]) -> Self {
        Self {
            head,
            answer,
            faults,
            open: None,
            index: 0,
        }
    }

    fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    /// An event whose members are given as JSON, without their braces.
    fn event(&self, name: &str, members: &str) -> String {
        let comma = if members.is_empty() { "" } else { "," };
        let json = format!("{{\"type\":\"{name}\"{comma}{members}}}");
        event(Some(name), &self.head.odd.apply(json, name == "message_start"))
    }

    fn delta(&self, delta: &Value) -> String {
        self.event(
            "content_block_delta",
            &format!("\"index\":{},\"delta\":{delta}", self.index),
        )
    }

    /// Begins a block, after the end of the last one.
    fn start(&mut self, block: Block, begun: &Value) -> String {
        let ended = self.whole();
        self.open = Some(block);
        let members = format!("\"index\":{},\"content_block\":{begun}", self.index);
        ended + &self.event("content_block_start", &members)
    }

    /// Ends the open block. What is thought is signed first.
    fn whole(&mut self) -> String {
        let Some(block) = self.open.take() else {
            return String::new();
        };
        let signed = if block == Block::Thinking {
            self.delta(&json!({"type": "signature_delta", "signature": SIGNATURE}))
        } else {
            String::new()
        };
        let ended = self.event("content_block_stop", &format!("\"index\":{}", self.index));
        self.index += 1;
        signed + &ended
    }

    /// The reason, all counts, and the end.
    fn finish(&self, reason: Option<&str>, tally: &Tally) -> [String; 2] {
        let delta = json!({"container": null, "stop_reason": reason, "stop_sequence": null,
                           "stop_details": stop_details(reason)});
        let usage = if self.has(&Fault::NoUsage) {
            String::new()
        } else {
            format!(",\"usage\":{}", usage(tally, UsagePosition::Delta, self.faults))
        };
        let metadata = self.head.metadata.as_ref();
        let metadata = metadata.map(|routed| format!("\"openrouter_metadata\":{routed}"));
        [
            self.event("message_delta", &format!("\"delta\":{delta}{usage}")),
            self.event("message_stop", &metadata.unwrap_or_default()),
        ]
    }
}

impl Writer for Stream<'_> {
    fn begin(&mut self, track: &mut Track) {
        let shown = (!self.has(&Fault::NoUsage)).then(|| usage(&self.answer.tally, UsagePosition::Start, self.faults));
        let begun = message(self.head, Vec::new(), None, shown, false);
        track.send(self.event("message_start", &format!("\"message\":{begun}")), 0);
        track.send(self.event("ping", ""), 0);
    }

    fn empty(&mut self, track: &mut Track) {
        let begun = match self.open {
            Some(_) => String::new(),
            None => self.start(Block::Text, &text_block("")),
        };
        let delta = self.delta(&json!({"type": "text_delta", "text": ""}));
        track.send(begun + &delta, 0);
    }

    fn piece(&mut self, piece: &Piece, track: &mut Track) {
        let (block, begun, delta) = match piece {
            Piece::Reasoning(text) => (
                Block::Thinking,
                thinking("", ""),
                json!({"type": "thinking_delta", "thinking": text}),
            ),
            Piece::Text(text) => (Block::Text, text_block(""), json!({"type": "text_delta", "text": text})),
            Piece::Call(id, name) => {
                let begun = self.start(Block::Tool, &tool_use(id, name, &json!({})));
                let empty = self.delta(&json!({"type": "input_json_delta", "partial_json": ""}));
                track.send(begun + &empty, 1);
                return;
            }
            Piece::Arguments(text) => (
                Block::Tool,
                Value::Null,
                json!({"type": "input_json_delta", "partial_json": text}),
            ),
        };
        let begun = if self.open == Some(block) {
            String::new()
        } else {
            self.start(block, &begun)
        };
        let delta = self.delta(&delta);
        track.send(begun + &delta, 1);
    }

    fn close(&mut self, track: &mut Track) {
        let ended = self.whole();
        track.send(ended, 0);
    }

    fn end(&mut self, track: &mut Track) {
        let reason = (!self.has(&Fault::NoFinishReason)).then(|| stop_reason(&self.answer.finish));
        for event in self.finish(reason, &self.answer.tally) {
            track.send(event, 0);
        }
    }

    fn after(&mut self, _: &mut Track) {}

    fn instead(&mut self, fault: &Fault, track: &mut Track) -> bool {
        let (mut pieces, mut tally, mut reason) = (0, self.answer.tally.nothing(), None);
        match fault {
            Fault::RoleOnly | Fault::EmptyContent => {}
            Fault::EmptyChoices | Fault::NullChoice => {
                if self.has(&Fault::Billed) {
                    (pieces, tally) = (self.answer.tally.completion, self.answer.tally.clone());
                }
            }
            Fault::FinishError => reason = Some("error"),
            _ => return false,
        }
        if pieces == 0 {
            track.acts.push_back(Act::Void);
        }
        self.begin(track);
        if matches!(fault, Fault::EmptyContent | Fault::NullChoice) {
            let empty = if *fault == Fault::NullChoice {
                Value::Null
            } else {
                text_block("")
            };
            let begun = self.start(Block::Text, &empty);
            track.send(begun, 0);
            self.close(track);
        }
        let [delta, stop] = self.finish(reason, &tally);
        if *fault != Fault::RoleOnly {
            track.send(delta, 0);
        }
        track.send(stop, pieces);
        true
    }

    fn error(&mut self, code: &str, pieces: u64, track: &mut Track) {
        let mut body = error::inside(&Inside::new(code, self.faults), &self.head.id).to_string();
        if self.has(&Fault::Billed) {
            let shown = usage(&self.answer.tally.first(pieces), UsagePosition::Plain, self.faults);
            body.truncate(body.len() - 1);
            body += &format!(",\"usage\":{shown}}}");
        }
        track.send(event(Some("error"), &body), 0);
    }

    fn broken(&self) -> &'static [u8] {
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"te\n\n"
    }

    fn has_done(&self) -> bool {
        false
    }
}
