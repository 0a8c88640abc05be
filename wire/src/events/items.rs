//! Items and blocks of an answer: what they show.

use super::json::{filled, length};
use crate::{
    json::{Cursor, Found, JsonError, Text, full, is_text, member},
    letters::{LETTERS_PER_PICTURE, tokens_of},
};

/// Letters of what there is to show, as a tokenizer sees them, by their kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContentSize {
    /// Text.
    pub text: usize,
    /// Reasoning.
    pub reasoning: usize,
    /// Summaries of reasoning. Another model writes them: they are in no count of tokens.
    pub summary: usize,
    /// Calls of tools, refusals, pictures: what no text can continue.
    pub other: usize,
    /// Of `other`, what counts no tokens: one for whatever the upstream's tools brought, and one for a piece of sound or of a picture.
    pub from_server_tools: usize,
    /// Whether a tool of the caller is called.
    pub calls: bool,
}

impl ContentSize {
    /// All of it.
    #[inline]
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.text
            .saturating_add(self.reasoning)
            .saturating_add(self.summary)
            .saturating_add(self.other)
    }

    /// Whether there is nothing to show.
    #[inline]
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        self.bytes() == 0
    }

    /// Roughly how many tokens the model wrote: at least one if it wrote anything.
    #[inline]
    #[must_use]
    pub fn tokens(self) -> u32 {
        let written = self
            .text
            .saturating_add(self.reasoning)
            .saturating_add(self.others_written());
        tokens_of(written).max(u32::from(written > 0))
    }

    /// Of `other`, what the model wrote.
    const fn others_written(self) -> usize {
        self.other.saturating_sub(self.from_server_tools)
    }

    /// What is in this and was not shown before, by kind.
    pub(super) const fn beyond(self, shown: Self) -> Self {
        const fn new(own: usize, shown: usize) -> usize {
            if shown == 0 { own } else { 0 }
        }
        let from_server_tools = new(self.from_server_tools, shown.other);
        let written = new(self.others_written(), shown.others_written());
        Self {
            text: new(self.text, shown.text),
            reasoning: new(self.reasoning, shown.reasoning),
            // Behind reasoning that was shown it says nothing new.
            summary: new(self.summary, shown.summary.saturating_add(shown.reasoning)),
            other: written.saturating_add(from_server_tools),
            from_server_tools,
            calls: self.calls,
        }
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.text = self.text.saturating_add(other.text);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
        self.summary = self.summary.saturating_add(other.summary);
        self.other = self.other.saturating_add(other.other);
        self.from_server_tools = self.from_server_tools.saturating_add(other.from_server_tools);
        self.calls |= other.calls;
    }
}

/// One item of a response or one block of a message, as far as it must be known.
#[derive(Default)]
pub(crate) struct Item<'a> {
    pub(crate) kind: Option<Text<'a>>,
    content: Option<&'a [u8]>,
    summary: Option<&'a [u8]>,
    text: usize,
    reasoning: usize,
    call: usize,
    refusal: usize,
    /// Bytes of members that no model wrote.
    others: usize,
    /// A picture is among the others.
    is_pictured: bool,
    is_commentary: bool,
    call_id: usize,
    /// The upstream runs it.
    is_hosted: bool,
}

/// Items, blocks and parts whose text is that of the answer; so is that of one without a type.
const TEXTS: [&str; 3] = ["message", "text", "output_text"];

/// Items, blocks and parts whose text is thought.
const THOUGHTS: [&str; 4] = ["reasoning", "thinking", SUMMARY, "reasoning_text"];

/// A part, or an item by itself, whose text is the summary of a thought.
const SUMMARY: &str = "summary_text";

/// Calls of tools that the caller runs, with an id to answer or without.
const CALLS: [&str; 3] = ["function_call", "custom_tool_call", "tool_use"];

/// Calls of tools that the upstream runs, whatever ids they have.
const HOSTED: [&str; 6] = [
    "code_interpreter_call",
    "file_search_call",
    "fusion_call",
    "image_generation_call",
    "mcp_call",
    "web_search_call",
];

impl<'a> Item<'a> {
    /// Reads one object, or a text by itself; anything else says nothing.
    pub(crate) fn read(value: &mut Cursor<'a>) -> Result<Self, JsonError> {
        let mut item = Self::default();
        if value.peek()? == Found::String {
            item.text = filled(value)?;
            return Ok(item);
        }
        value.object_or_skip(|key, value| {
            match key.name() {
                b"type" => item.kind = full(value)?,
                b"content" => item.content = Some(value.raw()?),
                b"summary" => item.summary = Some(value.raw()?),
                b"text" => item.text = filled(value)?,
                b"thinking" => item.reasoning = filled(value)?,
                b"refusal" => item.refusal = filled(value)?,
                b"arguments" | b"input" | b"partial_json" | b"code" => item.call = filled(value)?,
                b"result" | b"image_url" | b"b64_json" | b"source" => {
                    let bytes = length(value)?;
                    item.others += bytes;
                    item.is_pictured |= bytes > 0;
                }
                b"call_id" => item.call_id = filled(value)?,
                b"execution" => {
                    let raw = value.raw()?;
                    item.is_hosted |= is_text(raw, "server");
                    item.others += filled(&mut Cursor::lenient(raw))?;
                }
                b"environment" => {
                    let raw = value.raw()?;
                    item.is_hosted |= member(raw, "type").is_some_and(|kind| kind.to_str().starts_with("container"));
                    item.others += filled(&mut Cursor::lenient(raw))?;
                }
                b"phase" => item.is_commentary = full(value)?.is_some_and(|phase| phase.is("commentary")),
                b"id" | b"status" | b"role" | b"name" | b"signature" | b"citations" | b"annotations" | b"logprobs"
                | b"encrypted_content" | b"cache_control" | b"namespace" | b"caller" | b"format" => {
                    value.skip()?;
                }
                _ => item.others += length(value)?,
            }
            Ok(())
        })?;
        Ok(item)
    }

    pub(crate) fn is(&self, kinds: &[&str]) -> bool {
        self.kind.is_some_and(|kind| is_one_of(kind, kinds))
    }

    /// Whether it is a call that the caller must answer: of a function, or of a tool that the caller runs, such as a shell or a computer.
    pub(crate) fn is_call(&self) -> bool {
        let is_own = || self.kind.is_some_and(|kind| kind.to_str().ends_with("_call")) && !self.is(&HOSTED);
        self.is(&CALLS) || (self.call_id > 0 && !self.is_hosted && is_own())
    }

    /// Whether it is a message on the way to the answer, and not the answer.
    pub(crate) const fn is_commentary(&self) -> bool {
        self.is_commentary
    }

    /// What its own text says of a thought.
    fn thought(&self) -> ContentSize {
        let mut said = ContentSize {
            reasoning: self.reasoning,
            ..ContentSize::default()
        };
        if self.is(&[SUMMARY]) {
            said.summary = self.text;
        } else if self.is(&THOUGHTS) {
            said.reasoning += self.text;
        }
        said
    }

    /// Letters that the model wrote, and one for whatever the upstream brought.
    fn written(&self) -> (usize, usize) {
        if self.is(&CALLS) {
            return (self.call, 0);
        }
        let own = self.call + self.text + self.refusal;
        let content = self.content.map_or(0, <[u8]>::len);
        if self.is_call() {
            // What such a call asks for stands under a name of its own.
            return (own + self.others, content.min(1));
        }
        (own + self.picture(), (self.others + content).min(1))
    }

    /// Letters that a generated picture in it counts as.
    fn picture(&self) -> usize {
        let names_one = |kind: Text<'_>| kind.raw().windows(5).any(|part| part == b"image");
        let is_one = self.is_pictured && self.kind.is_some_and(names_one);
        if is_one { LETTERS_PER_PICTURE } else { 0 }
    }

    /// What it shows; `is_whole` says that nothing of it is to come.
    pub(crate) fn said(&self, is_whole: bool) -> Result<ContentSize, JsonError> {
        let mut said = ContentSize::default();
        if self.is(&TEXTS) || self.kind.is_none() {
            said.text = self.text;
            for part in parts(self.content)? {
                said.add(part);
            }
        } else if self.is(&THOUGHTS) {
            // The text of a thought is thought, or its summary.
            said.add(self.thought());
            for part in parts(self.content)? {
                said.reasoning += part.bytes() - part.summary;
                said.summary += part.summary;
            }
            for part in parts(self.summary)? {
                said.summary += part.bytes();
            }
        } else if self.is(&["redacted_thinking"]) {
            // Only the provider can read it: a sign, and no letters.
            said.reasoning = self.others.min(1);
        } else {
            said.calls = self.is_call();
            let (written, from_server_tools) = self.written();
            (said.other, said.from_server_tools) = (written + from_server_tools, from_server_tools);
            // A call without arguments is a call once nothing more of it can come.
            if said.calls && is_whole {
                said.other = said.other.max(1);
            }
        }
        Ok(said)
    }
}

fn is_one_of(kind: Text<'_>, kinds: &[&str]) -> bool {
    kinds.iter().any(|wanted| kind.is(wanted))
}

/// What the parts of an item show.
fn parts(list: Option<&[u8]>) -> Result<Vec<ContentSize>, JsonError> {
    let mut found = Vec::new();
    let Some(list) = list else { return Ok(found) };
    Cursor::lenient(list).each_or_self(|part| {
        let part = Item::read(part)?;
        // One level: a part has no parts.
        let from_server_tools = part.others.min(1);
        found.push(ContentSize {
            text: if part.is(&THOUGHTS) { 0 } else { part.text },
            other: part.refusal + part.picture() + from_server_tools,
            from_server_tools,
            ..part.thought()
        });
        Ok(())
    })?;
    Ok(found)
}

/// What a list of items shows together; of some servers it is one item, or a text.
pub(crate) fn all(list: &[u8]) -> Result<ContentSize, JsonError> {
    let mut said = ContentSize::default();
    Cursor::lenient(list).each_or_self(|item| {
        said.add(Item::read(item)?.said(true)?);
        Ok(())
    })?;
    Ok(said)
}

/// Whether a list of items has one, whatever it shows.
pub(crate) fn has_items(list: &[u8]) -> bool {
    let mut found = false;
    let walked = Cursor::lenient(list).each_or_self(|item| {
        if item.peek()? == Found::String {
            found |= full(item)?.is_some();
            return Ok(());
        }
        found |= item.peek()? == Found::Object;
        item.skip()
    });
    walked.is_ok() && found
}

/// The text of an item, a block, or a list of them; `None` if there is none. A text by itself is one.
#[must_use]
pub fn texts(list: &[u8]) -> Option<String> {
    let mut whole = String::new();
    let walked = Cursor::lenient(list).each_or_self(|item| add_text(item, &mut whole));
    walked.ok()?;
    (!whole.is_empty()).then_some(whole)
}

fn add_text(item: &mut Cursor<'_>, whole: &mut String) -> Result<(), JsonError> {
    if item.peek()? == Found::String {
        whole.push_str(&item.string()?.to_str());
        return Ok(());
    }
    let (mut kind, mut text, mut content) = (None, None, None);
    item.object_or_skip(|key, value| {
        match key.name() {
            b"type" => kind = full(value)?,
            b"text" => text = full(value)?,
            b"content" => content = Some(value.raw()?),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    if kind.is_some_and(|kind| !is_one_of(kind, &TEXTS)) {
        return Ok(());
    }
    if let Some(text) = text {
        whole.push_str(&text.to_str());
    }
    let Some(content) = content else { return Ok(()) };
    Cursor::lenient(content).each_or_self(|part| {
        if let Some(text) = full_text(part)? {
            whole.push_str(&text.to_str());
        }
        Ok(())
    })
}

/// The text of a part, whatever it is called, unless it is thought: the member `text` of an object, or a text by itself.
pub(crate) fn full_text<'a>(part: &mut Cursor<'a>) -> Result<Option<Text<'a>>, JsonError> {
    if part.peek()? == Found::String {
        return full(part);
    }
    let (mut text, mut is_text) = (None, true);
    part.object_or_skip(|key, value| {
        match key.name() {
            b"text" => text = full(value)?,
            b"type" => is_text = full(value)?.is_none_or(|kind| !is_one_of(kind, &THOUGHTS)),
            _ => value.skip()?,
        }
        Ok(())
    })?;
    Ok(text.filter(|_| is_text))
}
