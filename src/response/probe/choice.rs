//! One choice of an answer, and what it says.

use super::ChunkProbe;
use super::parts::{Part, parts};
use super::values::{filled, full, is_error};
use crate::request::scan::{Cursor, Text};
use crate::request::{Found, JsonError};
use crate::response::finish::End;

/// The last bit stands for all choices past it.
const LAST_BIT: u64 = 63;

/// What a message says, or the piece of one.
#[derive(Default, Clone, Copy)]
struct Said<'a> {
    text: Option<Text<'a>>,
    parts: Option<&'a [u8]>,
    reasoning: Option<Text<'a>>,
    shown: usize,
    content: bool,
    tool_call: bool,
    beside_text: bool,
}

#[derive(Default)]
struct Choice<'a> {
    index: u64,
    delta: Option<Said<'a>>,
    message: Option<Said<'a>>,
    text: Said<'a>,
    finish: Option<Text<'a>>,
    native: Option<Text<'a>>,
}

impl<'a> ChunkProbe<'a> {
    pub(super) fn forget_choices(&mut self) {
        (self.text, self.parts, self.reasoning) = (None, None, None);
        (self.finish, self.native) = (None, None);
        (self.seen, self.showing, self.ended, self.max_index) = (0, 0, 0, 0);
        (self.choices, self.shown, self.end) = (0, 0, End::None);
        (self.content, self.tool_call, self.beside_text, self.in_message) = (false, false, false, false);
        (self.finish_error, self.choice_error) = (false, false);
    }

    pub(super) fn choice(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        if value.peek()? != Found::Object {
            return value.skip();
        }
        let mut choice = Choice::default();
        value.object(|key, value| {
            match key.name() {
                b"delta" => choice.delta = Some(said(value)?),
                b"message" => choice.message = Some(said(value)?),
                b"text" => {
                    choice.text = Said::default();
                    choice.text.written(value)?;
                }
                // A blank reason is none.
                b"finish_reason" => choice.finish = full(value)?,
                b"native_finish_reason" => choice.native = full(value)?,
                b"index" => choice.index = value.u64_or_skip()?.unwrap_or(0),
                b"error" => self.choice_error |= is_error(value)?,
                b"usage" => self.usage_beside(value)?,
                _ => value.skip()?,
            }
            Ok(())
        })?;
        self.add(&choice);
        Ok(())
    }

    fn add(&mut self, choice: &Choice<'a>) {
        self.choices += 1;
        self.max_index = self.max_index.max(choice.index);
        let bit = 1 << choice.index.min(LAST_BIT);
        self.seen |= bit;
        // Next to a delta a message is the text so far.
        let of = |said: Option<Said<'a>>| said.filter(|said| said.content);
        let said = of(choice.delta).or_else(|| of(choice.message)).unwrap_or(choice.text);
        if said.content {
            self.showing |= bit;
            self.in_message |= of(choice.delta).is_none() && of(choice.message).is_some();
            self.content = true;
            self.tool_call |= said.tool_call;
            self.beside_text |= said.beside_text;
            self.shown += said.shown;
            if self.text.is_none() && self.parts.is_none() {
                (self.text, self.parts) = (said.text, said.parts);
            }
            self.reasoning = self.reasoning.or(said.reasoning);
        }
        let end = |word: Option<Text<'a>>| word.map_or(End::None, |word| End::of(&word.to_str()));
        let told = end(choice.finish);
        self.native = self.native.or(choice.native);
        self.finish_error |= told == End::Error || end(choice.native) == End::Error;
        if told != End::None {
            self.ended |= bit;
            if self.finish.is_none() {
                (self.finish, self.end) = (choice.finish, told);
            }
        }
    }
}

/// What a message or a piece of one says.
fn said<'a>(value: &mut Cursor<'a>) -> Result<Said<'a>, JsonError> {
    let mut said = Said::default();
    if value.peek()? == Found::String {
        // A delta that is the text itself.
        said.written(value)?;
        return Ok(said);
    }
    value.object_or_skip(|key, value| said.member(key, value))?;
    Ok(said)
}

impl<'a> Said<'a> {
    fn member(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"role" | b"name" | b"annotations" => value.skip(),
            b"content" => self.written(value),
            b"refusal" => {
                if let Some(refusal) = full(value)? {
                    self.show(refusal.raw().len());
                    self.beside_text = true;
                }
                Ok(())
            }
            b"tool_calls" => {
                let calls = parts(value)?;
                self.tool_call |= calls.any;
                self.add(&calls);
                Ok(())
            }
            b"function_call" => {
                let call = filled(value)?;
                self.tool_call |= call > 0;
                self.beside_text |= call > 0;
                if call > 0 {
                    self.show(call);
                }
                Ok(())
            }
            b"images" => {
                let images = parts(value)?;
                self.add(&images);
                Ok(())
            }
            b"reasoning_details" => value.array_or_skip(|detail| {
                detail.object_or_skip(|key, value| match key.name() {
                    // What is encrypted is a sign of an answer, too.
                    b"text" | b"summary" | b"data" => {
                        self.content |= full(value)?.is_some();
                        Ok(())
                    }
                    _ => value.skip(),
                })
            }),
            b"audio" => value.object_or_skip(|_, value| {
                self.content = true;
                self.beside_text = true;
                value.skip()
            }),
            name if is_reasoning(name) => self.thought(value),
            _ => value.skip(),
        }
    }

    fn show(&mut self, bytes: usize) {
        self.shown += bytes;
        self.content = true;
    }

    fn add(&mut self, part: &Part) {
        if part.any {
            self.show(part.bytes);
            self.beside_text = true;
        }
    }

    /// Text, or the parts some providers write instead. Where the key stands twice, the last counts.
    fn written(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        (self.text, self.parts) = (None, None);
        match value.peek()? {
            Found::Array | Found::Object => {
                let raw = value.raw()?;
                let found = parts(&mut Cursor::lenient(raw))?;
                self.add(&found);
                self.parts = found.any.then_some(raw);
            }
            _ => {
                if let Some(text) = full(value)? {
                    self.show(text.raw().len());
                    self.text = Some(text);
                }
            }
        }
        Ok(())
    }

    /// Reasoning, by whatever name it goes.
    fn thought(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        if value.peek()? != Found::String {
            self.content |= parts(value)?.any;
            return Ok(());
        }
        if let Some(text) = full(value)? {
            // Some servers write it under two names.
            if self.reasoning.is_none() {
                self.shown += text.raw().len();
            }
            self.reasoning.get_or_insert(text);
            self.content = true;
        }
        Ok(())
    }
}

/// `reasoning`, `reasoning_content`, `reasoning_text`, `thinking`, `thinking_blocks`, `thought`.
fn is_reasoning(name: &[u8]) -> bool {
    name.starts_with(b"reason")
        || name.windows(5).any(|part| part == b"think")
        || name.windows(7).any(|part| part == b"thought")
}
