//! A streamed answer as a list of acts, under the clauses that concern one.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Act, Track};
use crate::answer::{Answer, Piece};
use crate::fault::{Fault, UsageShape};
use crate::wire::chunk::{Choice, Chunk, Delta};
use crate::wire::usage::{Tally, Usage};

/// Between the comments of a keep-alive.
const EVERY: Duration = Duration::from_secs(1);
const COMMENT: &[u8] = b": OPENROUTER PROCESSING\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What all chunks of an answer have in common.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) tier: &'static str,
    pub(crate) metadata: Option<Value>,
    pub(crate) delay: Duration,
}

impl Head {
    fn event(&self, choices: &[Choice<'_>], usage: Option<Usage>, error: Option<Value>, last: bool) -> Bytes {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            provider: &self.provider,
            service_tier: usage.is_some().then_some(self.tier),
            error,
            choices,
            usage,
            openrouter_metadata: self.metadata.as_ref().filter(|_| last),
        };
        let mut line = b"data: ".to_vec();
        // Writing plain data to memory does not fail.
        if serde_json::to_writer(&mut line, &chunk).is_err() {
            line.extend_from_slice(b"{}");
        }
        line.extend_from_slice(b"\n\n");
        Bytes::from(line)
    }

    fn delta(&self, delta: Delta<'_>) -> Bytes {
        self.event(
            &[Choice {
                delta,
                ..Choice::default()
            }],
            None,
            None,
            false,
        )
    }

    fn finish(&self, finish: Option<&str>, native: Option<&str>, usage: Option<Usage>, last: bool) -> Bytes {
        let choice = Choice {
            finish_reason: finish,
            native_finish_reason: native,
            ..Choice::default()
        };
        self.event(&[choice], usage, None, last)
    }
}

struct Scene<'a> {
    head: &'a Head,
    answer: &'a Answer,
    faults: &'a [Fault],
    track: Track,
}

/// The acts of a streamed answer.
pub(crate) fn track(head: &Head, answer: &Answer, faults: &[Fault]) -> Track {
    let mut scene = Scene {
        head,
        answer,
        faults,
        track: Track::default(),
    };
    scene.play();
    scene.track.shaped(faults)
}

impl Scene<'_> {
    fn has(&self, fault: &Fault) -> bool {
        self.faults.contains(fault)
    }

    fn send(&mut self, bytes: Bytes, pieces: u64) {
        self.track.acts.push_back(Act::Send(bytes, pieces));
    }

    fn done(&mut self) {
        if !self.has(&Fault::NoDone) {
            self.send(Bytes::from_static(DONE), 0);
        }
    }

    fn play(&mut self) {
        self.wait_for_first();
        if !self.instead() && self.content() && !self.has(&Fault::NoFinish) {
            self.ending();
        }
    }

    /// Comments, for as long as the first token takes.
    fn wait_for_first(&mut self) {
        let comment = Bytes::from_static(COMMENT);
        let count = self
            .faults
            .iter()
            .find_map(|f| if let Fault::KeepAlive(n) = f { Some(*n) } else { None });
        for _ in 0..count.unwrap_or(1) {
            self.send(comment.clone(), 0);
        }
        for fault in self.faults {
            let (every, left) = match fault {
                Fault::FirstToken(length) => (EVERY, Some(*length)),
                Fault::Drip(every, total) | Fault::DripCut(every, total) => (*every, Some(*total)),
                Fault::Comments => (EVERY, None),
                _ => continue,
            };
            self.track.acts.push_back(Act::Repeat {
                bytes: comment.clone(),
                every,
                left,
            });
            if matches!(fault, Fault::DripCut(..)) {
                self.track.acts.push_back(Act::Cut);
            }
        }
    }

    /// Streams that are something else than an answer.
    fn instead(&mut self) -> bool {
        let nothing = Tally {
            prompt: self.answer.tally.prompt,
            ..Tally::default()
        };
        for fault in self.faults {
            match fault {
                Fault::EmptyStream => {
                    self.track.acts.push_back(Act::Void);
                    return true;
                }
                Fault::RoleOnly => {
                    self.track.acts.push_back(Act::Void);
                    self.send(self.head.delta(Delta::default()), 0);
                }
                Fault::EmptyChoices => {
                    self.track.acts.push_back(Act::Void);
                    self.send(self.head.event(&[], Some(nothing.usage()), None, true), 0);
                }
                Fault::EmptyContent => {
                    self.track.acts.push_back(Act::Void);
                    self.send(self.head.delta(Delta::default()), 0);
                    self.send(self.head.finish(None, None, Some(nothing.usage()), true), 0);
                }
                Fault::FinishError => {
                    self.track.acts.push_back(Act::Void);
                    let native = Some("MALFORMED_FUNCTION_CALL");
                    self.send(self.head.finish(Some("error"), native, None, false), 0);
                    self.send(self.head.finish(Some("error"), native, Some(nothing.usage()), true), 0);
                }
                Fault::Error(code) => {
                    self.error(code);
                    return true;
                }
                _ => continue,
            }
            self.done();
            return true;
        }
        false
    }

    fn error(&mut self, code: &str) {
        self.track.acts.push_back(Act::Void);
        let error = error_object(code);
        let choice = Choice {
            finish_reason: Some("error"),
            ..Choice::default()
        };
        let choices = if self.has(&Fault::NoChoices) {
            &[][..]
        } else {
            &[choice][..]
        };
        self.send(self.head.event(choices, None, Some(error), true), 0);
        if self.has(&Fault::Done) {
            self.send(Bytes::from_static(DONE), 0);
        }
    }

    /// The pieces, and what happens between them; false if the stream ends among them.
    fn content(&mut self) -> bool {
        let total = self.answer.pieces.len();
        let delay = self.faults.iter().find_map(|f| {
            if let Fault::Delay(length) = f {
                Some(*length)
            } else {
                None
            }
        });
        let delay = delay.unwrap_or(self.head.delay);
        for place in 0..=total {
            for fault in self.faults {
                let here = |at: &u32| usize::try_from(*at).unwrap_or(usize::MAX).min(total) == place;
                match fault {
                    Fault::Stall(length, at) if here(at) => {
                        self.track.acts.push_back(Act::Wait(*length));
                    }
                    Fault::BadJson(at) if here(at) => {
                        self.send(
                            Bytes::from_static(b"data: {\"id\":\"gen-broken\",\"choices\":[{\"delta\":{\"con\n\n"),
                            0,
                        );
                    }
                    Fault::Cut(at) if here(at) => {
                        self.track.acts.push_back(Act::Cut);
                        return false;
                    }
                    Fault::ErrorAt(code, at) if here(at) => {
                        self.error(code);
                        return false;
                    }
                    _ => {}
                }
            }
            let Some(piece) = self.answer.pieces.get(place) else {
                continue;
            };
            if !delay.is_zero() {
                self.track.acts.push_back(Act::Wait(delay));
            }
            self.piece(piece);
        }
        true
    }

    fn piece(&mut self, piece: &Piece) {
        let format = self.answer.format;
        let delta = match piece {
            Piece::Reasoning(_) if self.answer.hidden => {
                self.send(Bytes::from_static(COMMENT), 1);
                return;
            }
            Piece::Reasoning(text) => Delta {
                reasoning: Some(text),
                reasoning_details: Some(
                    json!([{"type": "reasoning.text", "text": text, "format": format, "index": 0}]),
                ),
                ..Delta::default()
            },
            Piece::Text(text) => Delta {
                content: Some(text),
                ..Delta::default()
            },
            Piece::Call(id, name) => Delta {
                content: None,
                tool_calls: Some(json!([{"index": 0, "id": id, "type": "function",
                                         "function": {"name": name, "arguments": ""}}])),
                ..Delta::default()
            },
            Piece::Arguments(text) => Delta {
                content: None,
                tool_calls: Some(json!([{"index": 0, "function": {"arguments": text}}])),
                ..Delta::default()
            },
        };
        let bytes = self.head.delta(delta);
        self.send(bytes, 1);
    }

    /// Finish, usage, `[DONE]`.
    fn ending(&mut self) {
        let (finish, native) = (Some(self.answer.finish.as_str()), Some(self.answer.native.as_str()));
        let shape = self.faults.iter().find_map(|f| {
            if let Fault::Usage(shape) = f {
                Some(*shape)
            } else {
                None
            }
        });
        let shape = if self.has(&Fault::NoUsage) {
            None
        } else {
            Some(shape.unwrap_or_default())
        };
        let usage = || Some(self.answer.tally.usage());
        let (on_finish, after) = match shape {
            None => (None, None),
            Some(UsageShape::Finish) => (usage(), None),
            Some(UsageShape::Repeat) => (None, Some(self.head.finish(finish, native, usage(), true))),
            Some(UsageShape::Null) => (None, Some(self.head.finish(None, None, usage(), true))),
            Some(UsageShape::Empty) => (None, Some(self.head.event(&[], usage(), None, true))),
        };
        self.send(self.head.finish(finish, native, on_finish, after.is_none()), 0);
        if let Some(usage) = after {
            self.send(usage, 0);
        }
        self.done();
    }
}

/// The error object inside a 200, with a numeric code or a word.
pub(crate) fn error_object(code: &str) -> Value {
    let Ok(number) = code.parse::<u16>() else {
        return json!({"code": code, "message": "Provider disconnected unexpectedly"});
    };
    let (message, kind) = match number {
        429 => ("Rate limit exceeded", "rate_limit_exceeded"),
        400 => ("Provider returned error", "invalid_request"),
        503 | 529 => ("Provider overloaded", "provider_overloaded"),
        504 => ("The operation was aborted due to timeout", "timeout"),
        _ => ("Provider disconnected mid-stream", "provider_unavailable"),
    };
    json!({"code": number, "message": message, "metadata": {"error_type": kind}})
}
