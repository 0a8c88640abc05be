//! A streamed answer in chunks.

use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::chunk::{Choice, Chunk, Content, Delta};
use super::completion::{details, text_part, thinking_part};
use super::usage;
use crate::answer::{Answer, Piece, Tally};
use crate::fault::{Fault, UsageForm, UsageShape, WholeMessage, given};
use crate::track::{Act, Track};
use crate::wire::inside::Inside;
use crate::wire::{Head, Writer, event};

/// Before a usage that is late.
const LATE: Duration = Duration::from_secs(1);

/// What the first chunk's usage counts, if it has one.
const FIRST: u64 = 3;

/// Writes chunks.
pub(crate) struct Stream<'a> {
    head: &'a Head,
    answer: &'a Answer,
    faults: &'a [Fault],
    shape: Option<UsageShape>,
    whole: Option<WholeMessage>,
    finish_each: Option<String>,
    /// The text so far.
    said: String,
    pieces: u64,
    begun: bool,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(head: &'a Head, answer: &'a Answer, faults: &'a [Fault]) -> Self {
        let shape = given!(faults, Fault::Usage).unwrap_or_default();
        Self {
            head,
            answer,
            faults,
            shape: (!faults.contains(&Fault::NoUsage)).then_some(shape),
            whole: given!(faults, Fault::WholeMessage),
            finish_each: given!(faults, Fault::FinishEach),
            said: String::new(),
            pieces: 0,
            begun: false,
        }
    }

    fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    fn usage(&self, tally: &Tally) -> Option<Box<RawValue>> {
        Some(usage(tally, self.faults))
    }

    fn chunk(
        &mut self,
        choices: &[Option<Choice<'_>>],
        usage: Option<Box<RawValue>>,
        error: Option<Value>,
        last: bool,
    ) -> String {
        let chunk = Chunk {
            id: &self.head.id,
            object: "chat.completion.chunk",
            created: self.head.created,
            model: &self.head.model,
            provider: &self.head.provider,
            service_tier: usage.is_some().then_some(self.head.tier),
            error,
            choices,
            usage,
            openrouter_metadata: self.head.metadata.as_ref().filter(|_| last),
        };
        // Writing plain data to memory does not fail.
        let json = serde_json::to_string(&chunk).unwrap_or_else(|_| "{}".to_owned());
        let first = !std::mem::replace(&mut self.begun, true);
        event(None, &self.head.odd.apply(json, first))
    }

    fn delta(&mut self, delta: Delta<'_>) -> String {
        let finish = self.finish_each.clone();
        let message =
            (self.whole == Some(WholeMessage::Each)).then(|| json!({"role": "assistant", "content": self.said}));
        let usage = if self.shape == Some(UsageShape::Each) {
            usage_without_cost(&self.answer.tally.first(self.pieces))
        } else {
            None
        };
        let choice = Choice {
            message,
            delta: Some(delta),
            finish_reason: finish.as_deref(),
            ..Choice::default()
        };
        self.chunk(&[Some(choice)], usage, None, false)
    }

    fn finish(
        &mut self,
        finish: Option<&str>,
        native: Option<&str>,
        usage: Option<Box<RawValue>>,
        last: bool,
    ) -> String {
        let mut choice = Choice {
            finish_reason: finish,
            native_finish_reason: native,
            ..Choice::default()
        };
        if self.whole == Some(WholeMessage::Last) && finish.is_some() {
            choice.delta = None;
        }
        if self.whole.is_some() {
            choice.message = Some(json!({"role": "assistant", "content": self.said}));
        }
        self.chunk(&[Some(choice)], usage, None, last)
    }
}

fn usage_without_cost(tally: &Tally) -> Option<Box<RawValue>> {
    Some(usage(tally, &[Fault::UsageForm(UsageForm::NoCost)]))
}

/// The finish reason of a whole answer; a call in the old form has a word of its own.
pub(super) fn finish_reason<'a>(finish: &'a str, faults: &[Fault]) -> &'a str {
    let is_old = faults.contains(&Fault::FunctionCall) && finish == "tool_calls";
    if is_old { "function_call" } else { finish }
}

impl Writer for Stream<'_> {
    fn begin(&mut self, track: &mut Track) {
        if self.shape == Some(UsageShape::First) {
            let mut tally = self.answer.tally.nothing();
            tally.completion = FIRST;
            let usage = usage_without_cost(&tally);
            let chunk = self.chunk(&[Some(Choice::default())], usage, None, false);
            track.send(chunk, 0);
        }
    }

    fn empty(&mut self, track: &mut Track) {
        let chunk = self.delta(Delta::default());
        track.send(chunk, 0);
    }

    fn piece(&mut self, piece: &Piece, track: &mut Track) {
        self.pieces += 1;
        let parts = self.has(&Fault::ContentParts);
        let old = self.has(&Fault::FunctionCall);
        let nothing = Delta {
            content: None,
            ..Delta::default()
        };
        let delta = match piece {
            Piece::Reasoning(text) if parts => Delta {
                content: Some(Content::Parts(json!([thinking_part(text)]))),
                ..nothing
            },
            Piece::Reasoning(text) => Delta {
                reasoning: Some(text),
                reasoning_details: details(text, self.answer, self.faults),
                ..Delta::default()
            },
            Piece::Text(text) => {
                self.said.push_str(text);
                Delta {
                    content: Some(if parts {
                        Content::Parts(json!([text_part(text)]))
                    } else {
                        Content::Text(text)
                    }),
                    ..nothing
                }
            }
            Piece::Call(_, name) if old => Delta {
                function_call: Some(json!({"name": name, "arguments": ""})),
                ..nothing
            },
            Piece::Arguments(text) if old => Delta {
                function_call: Some(json!({"arguments": text})),
                ..nothing
            },
            Piece::Call(id, name) => Delta {
                tool_calls: Some(json!([{"index": 0, "id": id, "type": "function",
                                         "function": {"name": name, "arguments": ""}}])),
                ..nothing
            },
            Piece::Arguments(text) => Delta {
                tool_calls: Some(json!([{"index": 0, "function": {"arguments": text}}])),
                ..nothing
            },
        };
        let chunk = self.delta(delta);
        track.send(chunk, 1);
    }

    fn close(&mut self, _: &mut Track) {}

    fn end(&mut self, track: &mut Track) {
        let whole = &self.answer.tally;
        if self.has(&Fault::NoFinishReason) {
            if self.shape.is_some() {
                let usage = self.usage(whole);
                let chunk = self.chunk(&[], usage, None, true);
                track.send(chunk, 0);
            }
            return;
        }
        let (finish, native) = (
            finish_reason(&self.answer.finish, self.faults),
            self.answer.native.as_str(),
        );
        let (finish, native) = (Some(finish), Some(native));
        let on_finish = match self.shape {
            Some(UsageShape::Finish) => self.usage(whole),
            Some(UsageShape::Late | UsageShape::Each) => usage_without_cost(whole),
            _ => None,
        };
        let is_last = matches!(
            self.shape,
            None | Some(UsageShape::Finish | UsageShape::First | UsageShape::AfterDone)
        );
        let chunk = self.finish(finish, native, on_finish, is_last);
        track.send(chunk, 0);
        if is_last {
            return;
        }
        let usage = self.usage(whole);
        let chunk = match self.shape {
            Some(UsageShape::Repeat) => self.finish(finish, native, usage, true),
            Some(UsageShape::Null) => self.finish(None, None, usage, true),
            _ => self.chunk(&[], usage, None, true),
        };
        if matches!(self.shape, Some(UsageShape::Late | UsageShape::Each)) {
            track.acts.push_back(Act::Wait(LATE));
        }
        track.send(chunk, 0);
    }

    fn after(&mut self, track: &mut Track) {
        if self.shape == Some(UsageShape::AfterDone) {
            let usage = self.usage(&self.answer.tally);
            let chunk = self.chunk(&[], usage, None, true);
            track.send(chunk, 0);
        }
    }

    fn instead(&mut self, fault: &Fault, track: &mut Track) -> bool {
        let nothing = self.answer.tally.nothing();
        let pays = self.has(&Fault::Billed);
        match fault {
            Fault::RoleOnly => {
                track.acts.push_back(Act::Void);
                self.empty(track);
            }
            Fault::EmptyChoices | Fault::NullChoice => {
                let (usage, pieces) = if pays {
                    (self.usage(&self.answer.tally), self.answer.tally.completion)
                } else {
                    track.acts.push_back(Act::Void);
                    (self.usage(&nothing), 0)
                };
                let choices: &[_] = if *fault == Fault::NullChoice { &[None] } else { &[] };
                let chunk = self.chunk(choices, usage, None, true);
                track.send(chunk, pieces);
            }
            Fault::EmptyContent => {
                track.acts.push_back(Act::Void);
                self.empty(track);
                let usage = self.usage(&nothing);
                let chunk = self.finish(None, None, usage, true);
                track.send(chunk, 0);
            }
            Fault::FinishError => {
                track.acts.push_back(Act::Void);
                let native = Some("MALFORMED_FUNCTION_CALL");
                let usage = self.usage(&nothing);
                let (first, last) = (
                    self.finish(Some("error"), native, None, false),
                    self.finish(Some("error"), native, usage, true),
                );
                track.send(first, 0);
                track.send(last, 0);
            }
            _ => return false,
        }
        true
    }

    fn error(&mut self, code: &str, pieces: u64, track: &mut Track) {
        let choice = Choice {
            finish_reason: Some("error"),
            ..Choice::default()
        };
        let choices: &[_] = if self.has(&Fault::NoChoices) {
            &[]
        } else {
            &[Some(choice)]
        };
        let usage = if self.has(&Fault::Billed) {
            self.usage(&self.answer.tally.first(pieces))
        } else {
            None
        };
        let error = Inside::new(code, self.faults).object();
        let chunk = self.chunk(choices, usage, Some(error), true);
        track.send(chunk, 0);
    }

    fn broken(&self) -> &'static [u8] {
        b"data: {\"id\":\"gen-broken\",\"choices\":[{\"delta\":{\"con\n\n"
    }

    fn has_done(&self) -> bool {
        true
    }
}
