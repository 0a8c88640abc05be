//! One choice of an answer, and what it says.

use super::ChunkProbe;
use super::parts::{Part, calls, parts};
use super::values::{filled, is_error};
use crate::{
    finish::End,
    json::{Cursor, Found, JsonError, Text, full},
    letters::{LETTERS_PER_PICTURE, measure},
};

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
    /// It tells of an error.
    failed: bool,
}

struct Choice<'a> {
    index: u64,
    delta: Option<Said<'a>>,
    message: Option<Said<'a>>,
    text: Said<'a>,
    finish: Option<Text<'a>>,
    native: Option<Text<'a>>,
    /// What the finish reason means.
    end: End,
    /// It has a message, or null in its place, and no delta.
    has_delta_key: bool,
    has_message_key: bool,
    /// It has the text of a completion, perhaps an empty one.
    is_completion: bool,
    /// An error stands beside what it says.
    has_error: bool,
}

impl Default for Choice<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            delta: None,
            message: None,
            text: Said::default(),
            finish: None,
            native: None,
            end: End::None,
            has_delta_key: false,
            has_message_key: false,
            is_completion: false,
            has_error: false,
        }
    }
}

impl<'a> ChunkProbe<'a> {
    pub(super) fn forget_choices(&mut self) {
        (self.text, self.parts, self.reasoning) = (None, None, None);
        (self.finish, self.native) = (None, None);
        (self.seen, self.showing, self.ended, self.max_index) = (0, 0, 0, 0);
        (self.choices, self.shown, self.end) = (0, 0, End::None);
        (self.content, self.tool_call, self.beside_text, self.in_message) = (false, false, false, false);
        (self.said, self.in_delta, self.message_alone) = (false, false, false);
        (self.finish_error, self.choice_error, self.error_beside_end) = (false, false, false);
    }

    pub(super) fn choice(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        if value.peek()? != Found::Object {
            return value.skip();
        }
        let mut choice = Choice::default();
        value.object(|key, value| {
            match key.name() {
                b"delta" => (choice.delta, choice.has_delta_key) = (said(value)?, true),
                b"message" => (choice.message, choice.has_message_key) = (said(value)?, true),
                b"text" => {
                    choice.text = Said::default();
                    choice.is_completion = value.peek()? == Found::String;
                    choice.text.written(value)?;
                }
                // A blank reason is none.
                b"finish_reason" => (choice.finish, choice.end) = finish(value)?,
                b"native_finish_reason" => choice.native = full(value)?,
                b"index" => choice.index = value.u64_or_skip()?.unwrap_or(0),
                b"error" => choice.has_error = is_error(value)?,
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
            self.in_delta |= of(choice.delta).is_some();
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
        self.message_alone |= choice.has_message_key && !choice.has_delta_key;
        let both = [choice.delta, choice.message];
        self.said |= both.iter().any(Option::is_some) || choice.is_completion;
        self.choice_error |= both.iter().flatten().any(|said| said.failed);
        let told = choice.end;
        let native = choice.native.map_or(End::None, |word| End::of(&word.to_str()));
        self.native = self.native.or(choice.native);
        self.finish_error |= told == End::Error || native == End::Error;
        if choice.has_error {
            // Some servers report there what else has failed, such as their telemetry.
            let is_good = matches!(told, End::Stop | End::ToolCalls | End::Length) && native != End::Filter;
            let is_answer = said.text.is_some() || said.parts.is_some() || said.beside_text;
            self.choice_error |= !is_good;
            self.error_beside_end |= is_good && !is_answer;
        }
        if told != End::None {
            self.ended |= bit;
            if self.end == End::None {
                (self.finish, self.end) = (choice.finish, told);
            }
        }
    }
}

/// What a message or a piece of one says.
fn said<'a>(value: &mut Cursor<'a>) -> Result<Option<Said<'a>>, JsonError> {
    let mut said = Said::default();
    match value.peek()? {
        // A delta that is the text itself.
        Found::String => said.written(value)?,
        Found::Object => value.object(|key, value| said.member(key, value))?,
        _ => {
            value.skip()?;
            return Ok(None);
        }
    }
    Ok(Some(said))
}

/// Why a choice ended: a word mostly. Some servers write a number, or an object with the word in it.
fn finish<'a>(value: &mut Cursor<'a>) -> Result<(Option<Text<'a>>, End), JsonError> {
    let of = |word: Option<Text<'a>>| (word, word.map_or(End::None, |word| End::of(&word.to_str())));
    match value.peek()? {
        Found::Null => value.skip().map(|()| (None, End::None)),
        Found::String => Ok(of(full(value)?)),
        Found::Object => {
            let mut word = None;
            value.object(|key, value| match key.name() {
                b"type" | b"reason" => full(value).map(|found| word = found.or(word)),
                _ => value.skip(),
            })?;
            Ok(of(word))
        }
        _ => {
            let says_no = matches!(value.raw()?, b"0" | b"false" | b"[]");
            Ok((None, if says_no { End::None } else { End::Unknown }))
        }
    }
}

impl<'a> Said<'a> {
    fn member(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"role" | b"name" | b"annotations" => value.skip(),
            b"content" => self.written(value),
            b"refusal" => {
                if let Some(refusal) = full(value)? {
                    self.show(measure(refusal));
                    self.beside_text = true;
                }
                Ok(())
            }
            b"tool_calls" | b"function_call" => {
                let calls = calls(value)?;
                self.tool_call |= calls.any;
                self.add(&calls);
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
            b"error" => {
                self.failed |= is_error(value)?;
                Ok(())
            }
            // A sign of an answer, of which nothing can be shown.
            name if is_reasoning(name) && is_sealed(name) => {
                self.content |= filled(value)? > 0;
                Ok(())
            }
            name if is_reasoning(name) => self.thought(value),
            _ => value.skip(),
        }
    }

    fn show(&mut self, letters: usize) {
        self.shown += letters;
        self.content = true;
    }

    fn add(&mut self, part: &Part) {
        if part.any {
            let pictures = part.pictures.saturating_mul(LETTERS_PER_PICTURE);
            self.show(part.letters.saturating_add(pictures));
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
                    self.show(measure(text));
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
                self.shown += measure(text);
            }
            self.reasoning.get_or_insert(text);
            self.content = true;
        }
        Ok(())
    }
}

/// Whether a member of this name holds what only the provider can read: `reasoning_opaque`, `thoughtSignature`, `reasoning_encrypted`.
pub(crate) fn is_sealed(name: &[u8]) -> bool {
    ["signature", "opaque", "encrypted"].iter().any(|end| {
        let start = name.len().checked_sub(end.len());
        let last = start.and_then(|start| name.get(start..));
        last.is_some_and(|last| last.eq_ignore_ascii_case(end.as_bytes()))
    })
}

/// `reasoning`, `reasoning_content`, `reasoning_text`, `thinking`, `thinking_blocks`, `thought`.
#[must_use]
pub fn is_reasoning(name: &[u8]) -> bool {
    name.starts_with(b"reason")
        || name.windows(5).any(|part| part == b"think")
        || name.windows(7).any(|part| part == b"thought")
}
