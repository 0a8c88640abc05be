//! A look at an answer, or at a piece of one, that builds nothing.

mod choice;
mod parts;
mod read;
#[cfg(test)]
mod tests;
mod values;
mod words;

pub use choice::is_reasoning;
pub(crate) use choice::is_sealed;

use std::{borrow::Cow, fmt};

use crate::{
    error::UpstreamError,
    finish::End,
    json::{Cursor, JsonError, Text, check_utf8},
    letters::tokens_of,
    usage::ServedTier,
};

/// What is in the data of one stream event, or in the body of a plain answer, as far as a layer must know.
///
/// One pass over the bytes, no allocation; the whole text is checked to be JSON. Reads `delta`, `message` and the `text` of a completion alike, and steps
/// over what is of another shape than it should be. `NaN` and infinities, which some servers write, are read as numbers. Of a key that stands
/// twice the last value counts.
///
/// What counts is what a field means, not that it is there: an `error` that is empty or says success is none, and neither is a finish
/// reason `"null"` an end.
///
/// ```
/// use openrouter_wire::chat::ChunkProbe;
///
/// let probe = ChunkProbe::read(br#"{"id":"gen-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#)?;
/// assert!(!probe.has_content() && !probe.has_finish());
///
/// let probe = ChunkProbe::read(br#"{"id":"gen-1","choices":[{"index":0,"delta":{"content":"Os"},"finish_reason":null}]}"#)?;
/// assert!(probe.has_content());
/// assert_eq!(probe.text().as_deref(), Some("Os"));
/// # Ok::<(), openrouter_wire::json::JsonError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ChunkProbe<'a> {
    body: &'a [u8],
    id: Option<Text<'a>>,
    kind: Option<Text<'a>>,
    model: Option<Text<'a>>,
    provider: Option<Text<'a>>,
    text: Option<Text<'a>>,
    /// A content that is no string: a list of parts.
    parts: Option<&'a [u8]>,
    reasoning: Option<Text<'a>>,
    finish: Option<Text<'a>>,
    native: Option<Text<'a>>,
    end: End,
    usage: Option<&'a [u8]>,
    /// Usage that stands elsewhere: in a choice, or in `x_groq`.
    usage_beside: Option<&'a [u8]>,
    tier: Option<Text<'a>>,
    /// Choices that are objects.
    choices: usize,
    max_index: u64,
    /// Which choices there are, which of them show something, and which have ended; a bit each, those past the last bit share it.
    seen: u64,
    showing: u64,
    ended: u64,
    /// Letters of what there is to show, as a tokenizer sees them.
    shown: usize,
    content: bool,
    tool_call: bool,
    beside_text: bool,
    /// The content is a member of a `message`, not of a `delta`.
    in_message: bool,
    in_delta: bool,
    /// A choice has a `message`, or null in its place, and no `delta`.
    message_alone: bool,
    /// A choice has a message or a delta, perhaps an empty one.
    said: bool,
    finish_error: bool,
    error: bool,
    choice_error: bool,
    /// An error stands beside the good end of a choice that shows nothing here.
    error_beside_end: bool,
    /// There are fields that an error has which stands by itself.
    suspect: bool,
    /// There are fields that no answer has.
    unknown: bool,
}

impl<'a> ChunkProbe<'a> {
    /// Looks at a JSON object.
    ///
    /// # Errors
    ///
    /// If it is not UTF-8, not JSON, or not an object.
    pub fn read(body: &'a [u8]) -> Result<Self, JsonError> {
        check_utf8(body)?;
        let mut probe = Self {
            body,
            id: None,
            kind: None,
            model: None,
            provider: None,
            text: None,
            parts: None,
            reasoning: None,
            finish: None,
            native: None,
            end: End::None,
            usage: None,
            usage_beside: None,
            tier: None,
            choices: 0,
            max_index: 0,
            seen: 0,
            showing: 0,
            ended: 0,
            shown: 0,
            content: false,
            tool_call: false,
            beside_text: false,
            in_message: false,
            in_delta: false,
            message_alone: false,
            finish_error: false,
            error: false,
            choice_error: false,
            error_beside_end: false,
            suspect: false,
            unknown: false,
            said: false,
        };
        let mut cursor = Cursor::lenient(body);
        cursor.object(|key, value| probe.member(key, value))?;
        cursor.end()?;
        // An error that stands by itself: there is no answer beside it.
        let suspect = probe.suspect || (probe.unknown && probe.choices == 0 && !probe.has_usage());
        if suspect && !probe.error && !probe.content && !probe.has_finish() {
            probe.error = UpstreamError::parse(body).is_some();
        }
        Ok(probe)
    }

    /// Whether there is something to show: text, reasoning, a refusal, a tool call, a picture or sound. A role is not, nor an empty text.
    #[inline]
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.content
    }

    /// Roughly how many tokens there are to show; rather too few than too many, and at least one if there is anything.
    #[inline]
    #[must_use]
    pub fn shown_tokens(&self) -> u32 {
        tokens_of(self.shown).max(u32::from(self.content))
    }

    /// The tier of service that served it, if it says.
    #[must_use]
    pub fn service_tier(&self) -> Option<ServedTier> {
        self.tier.map(|tier| ServedTier::of(&tier.to_str()))
    }

    /// Whether there is a tool call or a piece of one.
    #[inline]
    #[must_use]
    pub fn has_tool_call(&self) -> bool {
        self.tool_call
    }

    /// Whether there is something to show that is neither text nor reasoning: a refusal, a tool call, a picture or sound, text in parts.
    #[inline]
    #[must_use]
    pub fn has_beside_text(&self) -> bool {
        self.beside_text
    }

    /// The `type` of an event.
    #[must_use]
    pub fn kind(&self) -> Option<Cow<'a, str>> {
        self.kind.map(Text::to_str)
    }

    /// Whether the content is a member of a `message`: in a stream it is all the text so far, or the first text.
    #[inline]
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        self.in_message
    }

    /// Which choices there are, which of them show something, and which say why they ended: a bit each.
    #[inline]
    #[must_use]
    pub fn choice_bits(&self) -> (u64, u64, u64) {
        (self.seen, self.showing, self.ended)
    }

    /// What kind of end the first choice that ended had.
    #[inline]
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// Whether a choice says why it ended.
    #[inline]
    #[must_use]
    pub fn has_finish(&self) -> bool {
        self.end != End::None
    }

    /// The document itself.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the content is a member of a `delta`.
    #[inline]
    #[must_use]
    pub fn is_in_delta(&self) -> bool {
        self.in_delta
    }

    /// Whether a choice has a `message`, or null in its place, and no `delta`.
    #[inline]
    #[must_use]
    pub fn has_message_alone(&self) -> bool {
        self.message_alone
    }

    /// Whether there is text to show.
    #[inline]
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.text.is_some() || self.parts.is_some()
    }

    /// Whether there is reasoning to show.
    #[inline]
    #[must_use]
    pub fn has_reasoning(&self) -> bool {
        self.reasoning.is_some()
    }

    /// Whether a choice has a message, or a piece of one, however empty.
    #[inline]
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.said
    }

    /// Whether a choice ended in an error.
    #[inline]
    #[must_use]
    pub fn finish_is_error(&self) -> bool {
        self.finish_error
    }

    /// Whether there is an error, at the top or in a choice.
    #[inline]
    #[must_use]
    pub fn has_error(&self) -> bool {
        self.error || self.choice_error || self.error_beside_end
    }

    /// Whether the only error is one beside the good end of a choice that shows nothing here: if its answer came before, that is whole.
    #[inline]
    #[must_use]
    pub fn has_error_beside_end_alone(&self) -> bool {
        self.error_beside_end && !(self.error || self.choice_error || self.finish_error)
    }

    /// Whether this is a failure, explained or not: an error, or a choice that ended in one.
    #[inline]
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.has_error() || self.finish_error
    }

    /// Whether it says what the answer took.
    #[inline]
    #[must_use]
    pub fn has_usage(&self) -> bool {
        self.usage.or(self.usage_beside).is_some()
    }

    /// How many choices there are; what is `null` or no object is none.
    #[inline]
    #[must_use]
    pub fn choices(&self) -> usize {
        self.choices
    }

    /// The largest index of a choice: above 0 there are several answers, and each ends on its own.
    #[inline]
    #[must_use]
    pub fn max_index(&self) -> u64 {
        self.max_index
    }

    /// Whether the end is a bare `stop`, which does not prove that there is an answer.
    #[inline]
    #[must_use]
    pub fn finish_is_stop(&self) -> bool {
        self.end == End::Stop
    }

    /// Whether a filter cut the answer off.
    #[inline]
    #[must_use]
    pub fn finish_is_filter(&self) -> bool {
        self.end == End::Filter
    }

    /// Whether this is an answer without an answer in it: neither content, nor a reason for its end, nor an error.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.content && !self.has_finish() && !self.has_error()
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
