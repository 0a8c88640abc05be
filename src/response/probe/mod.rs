//! A look at an answer, or at a piece of one, that builds nothing.

#[cfg(test)]
mod tests;
mod values;

use std::borrow::Cow;
use std::fmt;

use super::finish::FinishReason;
use super::upstream::UpstreamError;
use super::usage::Usage;
use crate::request::scan::{Cursor, Text, check_utf8};
use crate::request::wire_struct::read_whole;
use crate::request::{Found, JsonError};

use values::{full, is_error, keep, text_bytes};

/// English text has about 4.3 bytes a token with the tokenizers of 2026, code a little fewer: 5 counts rather too few tokens.
const BYTES_PER_TOKEN: usize = 5;

/// What is in the data of one stream event, or in the body of a plain answer, as far as a layer must know.
///
/// One pass over the bytes, no allocation; the whole text is checked to be JSON. Reads `delta`, `message` and the `text` of a completion alike, and steps
/// over what is of another shape than it should be.
///
/// ```
/// use tower_openrouter::response::ChunkProbe;
///
/// let probe = ChunkProbe::read(br#"{"id":"gen-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#)?;
/// assert!(!probe.has_content() && !probe.has_finish());
///
/// let probe = ChunkProbe::read(br#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"Os"},"finish_reason":null}]}"#)?;
/// assert!(probe.has_content());
/// assert_eq!(probe.text().as_deref(), Some("Os"));
/// # Ok::<(), tower_openrouter::request::JsonError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ChunkProbe<'a> {
    body: &'a [u8],
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    provider: Option<Text<'a>>,
    text: Option<Text<'a>>,
    reasoning: Option<Text<'a>>,
    finish: Option<Text<'a>>,
    usage: Option<&'a [u8]>,
    choices: usize,
    max_index: u64,
    /// Bytes of what there is to show, as they stand in the JSON text.
    shown: usize,
    content: bool,
    tool_call: bool,
    beside_text: bool,
    finish_error: bool,
    error: bool,
    choice_error: bool,
}

impl<'a> ChunkProbe<'a> {
    /// Looks at a JSON object.
    ///
    /// # Errors
    ///
    /// Where it is not UTF-8, not JSON, or not an object.
    pub fn read(body: &'a [u8]) -> Result<Self, JsonError> {
        check_utf8(body)?;
        let mut probe = Self {
            body,
            id: None,
            model: None,
            provider: None,
            text: None,
            reasoning: None,
            finish: None,
            usage: None,
            choices: 0,
            max_index: 0,
            shown: 0,
            content: false,
            tool_call: false,
            beside_text: false,
            finish_error: false,
            error: false,
            choice_error: false,
        };
        let mut cursor = Cursor::lenient(body);
        cursor.object(|key, value| probe.member(key, value))?;
        cursor.end()?;
        Ok(probe)
    }

    /// Whether there is something to show: text, reasoning, a refusal, a tool call, a picture or sound. A role is not, nor an empty text.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Roughly how many tokens there are to show; rather too few than too many, and at least one if there is anything.
    #[must_use]
    pub(crate) fn shown_tokens(&self) -> u32 {
        let tokens = u32::try_from(self.shown / BYTES_PER_TOKEN).unwrap_or(u32::MAX);
        tokens.max(u32::from(self.content))
    }

    /// Whether there is a tool call or a piece of one.
    #[must_use]
    pub fn has_tool_call(&self) -> bool {
        self.tool_call
    }

    /// Whether there is something to show that is neither text nor reasoning: a refusal, a tool call, a picture or sound, text in parts.
    #[must_use]
    pub fn has_beside_text(&self) -> bool {
        self.beside_text
    }

    /// Whether a choice says why it ended.
    #[must_use]
    pub fn has_finish(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether a choice ended in an error.
    #[must_use]
    pub fn finish_is_error(&self) -> bool {
        self.finish_error
    }

    /// Whether there is an error, at the top or in a choice.
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.error || self.choice_error
    }

    /// Whether this is a failure, told or not: an error, or a choice that ended in one.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.has_error() || self.finish_error
    }

    /// Whether it says what the answer took.
    #[must_use]
    pub fn has_usage(&self) -> bool {
        self.usage.is_some()
    }

    /// How many choices there are.
    #[must_use]
    pub fn choices(&self) -> usize {
        self.choices
    }

    /// The largest index of a choice: above 0 there are several answers, and each ends on its own.
    #[must_use]
    pub fn max_index(&self) -> u64 {
        self.max_index
    }

    /// Whether the end is a bare `stop`, which says nothing of there being an answer.
    #[must_use]
    pub fn finish_is_stop(&self) -> bool {
        self.finish.is_some_and(|reason| reason.is("stop"))
    }

    /// Whether a filter cut the answer off.
    #[must_use]
    pub fn finish_is_filter(&self) -> bool {
        self.finish.is_some_and(|reason| reason.is("content_filter"))
    }

    /// Whether this is an answer without an answer in it: neither content, nor a reason for its end, nor an error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.content && self.finish.is_none() && !self.has_error()
    }

    /// How many tokens the usage says the answer has.
    #[must_use]
    pub fn completion_tokens(&self) -> Option<u64> {
        let mut tokens = None;
        let walked = Cursor::lenient(self.usage?).object_or_skip(|key, value| {
            if key.name() == b"completion_tokens" {
                tokens = value.u64_or_skip()?;
                return Ok(());
            }
            value.skip()
        });
        walked.ok().and(tokens)
    }

    /// The text of the first choice that has one. Copies only where it has escapes.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        self.text.map(Text::to_str)
    }

    /// The reasoning of the first choice that has one. Copies only where it has escapes.
    #[must_use]
    pub fn reasoning(&self) -> Option<Cow<'a, str>> {
        self.reasoning.map(Text::to_str)
    }

    /// The generation.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'a, str>> {
        self.id.map(Text::to_str)
    }

    /// The model that answers.
    #[must_use]
    pub fn model(&self) -> Option<Cow<'a, str>> {
        self.model.map(Text::to_str)
    }

    /// The provider that answers.
    #[must_use]
    pub fn provider(&self) -> Option<Cow<'a, str>> {
        self.provider.map(Text::to_str)
    }

    /// Why the first choice that says so ended.
    #[must_use]
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.finish.map(|reason| FinishReason::from(&*reason.to_str()))
    }

    /// The same in the upstream's own word.
    pub(crate) fn finish_word(&self) -> Option<Cow<'a, str>> {
        self.finish.map(Text::to_str)
    }

    /// What the answer took, as JSON text.
    #[must_use]
    pub fn usage_raw(&self) -> Option<&'a [u8]> {
        self.usage
    }

    /// What the answer took. This builds it.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        read_whole(self.usage?)
    }

    /// The failure. This builds it.
    #[must_use]
    pub fn upstream_error(&self) -> Option<UpstreamError> {
        self.is_failure().then(|| UpstreamError::parse(self.body)).flatten()
    }

    fn member(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"choices" => value.array_or_skip(|choice| {
                self.choices += 1;
                choice.object_or_skip(|key, value| self.choice(key, value))
            }),
            b"id" => keep(&mut self.id, value),
            b"model" => keep(&mut self.model, value),
            b"provider" => keep(&mut self.provider, value),
            b"error" => self.failed(value),
            // The one name that must not slip past by its spelling.
            b"" if key.is("error") => self.failed(value),
            // Errors that are the whole event: Anthropic's, that of a response, vLLM's.
            b"type" => {
                let names = ["error", "response.error", "response.failed"];
                self.error |= full(value)?.is_some_and(|kind| names.iter().any(|name| kind.is(name)));
                Ok(())
            }
            b"object" => {
                self.error |= full(value)?.is_some_and(|object| object.is("error"));
                Ok(())
            }
            b"usage" => {
                if value.peek()? == Found::Object {
                    self.usage = Some(value.raw()?);
                    return Ok(());
                }
                value.skip()
            }
            _ => value.skip(),
        }
    }

    fn failed(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        self.error |= is_error(value)?;
        Ok(())
    }

    fn choice(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"delta" | b"message" => value.object_or_skip(|key, value| self.said(key, value)),
            b"text" => self.written(value),
            b"finish_reason" => {
                // A blank reason is none.
                if let Some(reason) = full(value)? {
                    self.finish_error |= reason.is("error");
                    self.finish.get_or_insert(reason);
                }
                Ok(())
            }
            b"index" => {
                self.max_index = self.max_index.max(value.u64_or_skip()?.unwrap_or(0));
                Ok(())
            }
            b"error" => {
                self.choice_error |= is_error(value)?;
                Ok(())
            }
            _ => value.skip(),
        }
    }

    /// What a message or a piece of one says.
    fn said(&mut self, key: Text<'a>, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        match key.name() {
            b"content" => self.written(value),
            b"reasoning" | b"reasoning_content" => {
                if let Some(text) = full(value)? {
                    // Some servers write it under both names.
                    if self.reasoning.is_none() {
                        self.shown += text.raw().len();
                    }
                    self.reasoning.get_or_insert(text);
                    self.content = true;
                }
                Ok(())
            }
            b"refusal" => {
                let refusal = full(value)?;
                self.shown += refusal.map_or(0, |text| text.raw().len());
                let refuses = refusal.is_some();
                self.content |= refuses;
                self.beside_text |= refuses;
                Ok(())
            }
            b"tool_calls" => {
                self.tool_call |= self.any(value)?;
                Ok(())
            }
            b"images" => self.any(value).map(|_| ()),
            b"reasoning_details" => value.array_or_skip(|detail| {
                detail.object_or_skip(|key, value| match key.name() {
                    b"text" | b"summary" => {
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
            _ => value.skip(),
        }
    }

    /// Text, or the parts some providers write instead.
    fn written(&mut self, value: &mut Cursor<'a>) -> Result<(), JsonError> {
        if value.peek()? == Found::Array {
            return self.any(value).map(|_| ());
        }
        if let Some(text) = full(value)? {
            self.shown += text.raw().len();
            self.text.get_or_insert(text);
            self.content = true;
        }
        Ok(())
    }

    /// An array counts where it is not empty.
    fn any(&mut self, value: &mut Cursor<'a>) -> Result<bool, JsonError> {
        let mut any = false;
        let mut shown = 0;
        value.array_or_skip(|item| {
            any |= item.peek()? != Found::Null;
            shown += text_bytes(item)?;
            Ok(())
        })?;
        self.shown += shown;
        self.content |= any;
        self.beside_text |= any;
        Ok(any)
    }
}

impl fmt::Debug for ChunkProbe<'_> {
    /// What was found; never what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkProbe")
            .field("choices", &self.choices)
            .field("content", &self.content)
            .field("finish", &self.finish_reason())
            .field("error", &self.has_error())
            .field("usage", &self.has_usage())
            .finish_non_exhaustive()
    }
}
