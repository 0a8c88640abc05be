//! What one event of a stream, or one whole document, says of an answer: the same for all APIs whose streams are typed events.

mod items;
mod json;
mod state;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, ops::Range};

use super::Api;
use crate::json::{Text, raw_member, text};
use crate::{error::UpstreamError, finish::End, usage::ServedTier};

pub use crate::letters::estimate_tokens;
pub use items::{ContentSize, texts};
pub(crate) use items::{Item, all, full_text, has_items};
pub(crate) use json::{filled, is_error};
pub use state::{EventEffect, StreamState};

/// What a piece does to the course of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A sign of life.
    Ping,
    /// Part of the envelope, or of an unknown type.
    Envelope,
    /// An item of the answer begins, or a block.
    Opens,
    /// One part of an item begins.
    OpensPart,
    /// A piece of an item.
    Delta,
    /// A part of an item, once more as a whole.
    ClosesPart,
    /// An item has ended; it may come once more as a whole.
    Closes,
    /// The reason why the answer ended, which is not its last event.
    Finishes,
    /// The last event.
    Ends,
    /// A whole answer.
    Document,
}

/// What was found in one event or document. Builds nothing.
#[derive(Debug, Clone, Copy)]
pub struct EventProbe<'a> {
    body: &'a [u8],
    api: Api,
    /// What it does to the course of the answer.
    pub step: Step,
    /// Which item or block it is about.
    pub index: u64,
    /// Where the number of the event stands, which rises from one to the next.
    pub(crate) number: Option<(usize, usize)>,
    /// The id of the answer.
    pub id: Option<Text<'a>>,
    /// The model that answers.
    pub model: Option<Text<'a>>,
    /// The provider behind a router that answers.
    pub provider: Option<Text<'a>>,
    /// Text that a delta adds.
    pub(crate) text: Option<Text<'a>>,
    /// An item, a block, or a list of them, in which more text may stand.
    pub(crate) list: Option<&'a [u8]>,
    /// What it shows.
    pub content: ContentSize,
    /// Why it ended, in the upstream's word.
    pub(crate) finish: Option<Text<'a>>,
    /// What the answer took, as JSON text.
    pub usage: Option<&'a [u8]>,
    /// The tier of service that served it, if it says so beside the usage.
    pub(crate) tier: Option<Text<'a>>,
    /// Whether it reports a failure.
    pub(crate) failed: bool,
    /// Whether the item is the answer itself, and not what came before it.
    pub(crate) is_answer: bool,
    /// A response that the upstream works on after this.
    pub is_pending: bool,
}

impl<'a> EventProbe<'a> {
    /// Nothing but the envelope of an event or a document.
    pub(crate) const fn new(api: Api, body: &'a [u8]) -> Self {
        Self {
            body,
            api,
            step: Step::Envelope,
            index: 0,
            number: None,
            id: None,
            model: None,
            provider: None,
            text: None,
            list: None,
            content: ContentSize {
                text: 0,
                reasoning: 0,
                summary: 0,
                other: 0,
                from_server_tools: 0,
                calls: false,
            },
            finish: None,
            usage: None,
            tier: None,
            failed: false,
            is_answer: false,
            is_pending: false,
        }
    }

    /// The tier of service that served it, if it says so beside the usage.
    #[must_use]
    pub fn service_tier(&self) -> Option<ServedTier> {
        self.tier.map(|tier| ServedTier::of(&tier.to_str()))
    }

    /// Whether it is a failure, explained or not: it reports one, or the answer ended in one.
    #[inline]
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.failed || self.end() == End::Error
    }

    /// The failure. This builds it.
    #[must_use]
    pub fn upstream_error(&self) -> Option<UpstreamError> {
        if self.failed {
            return UpstreamError::parse(self.body);
        }
        // The words of an answer that ended in a failure are those of the model: its end says all there is to say.
        (self.end() == End::Error).then(|| UpstreamError {
            native_finish_reason: self
                .raw_finish_reason()
                .map(Cow::into_owned)
                .filter(|word| word != "error"),
            provider_name: self.provider.map(|provider| provider.to_str().into_owned()),
            ..UpstreamError::default()
        })
    }

    /// Whether the answer that it brings has an item, whatever that shows.
    #[must_use]
    pub fn has_items(&self) -> bool {
        self.list.is_some_and(has_items)
    }

    /// The text that a delta adds, as the event has it.
    #[inline]
    #[must_use]
    pub const fn text_text(&self) -> Option<Text<'a>> {
        self.text
    }

    /// The place of the event's number, which rises from one event to the next.
    #[inline]
    #[must_use]
    pub fn number(&self) -> Option<Range<usize>> {
        self.number.map(|(from, to)| from..to)
    }

    /// The JSON that was read.
    #[inline]
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether it is a delta, and says nothing of the answer but what it adds.
    #[must_use]
    pub const fn is_delta_alone(&self) -> bool {
        let tells = self.id.is_some() || self.model.is_some() || self.provider.is_some();
        let ends = self.finish.is_some() || self.usage.is_some() || self.failed || self.is_pending;
        matches!(self.step, Step::Delta) && !tells && !ends
    }

    /// The text to show; that of all items if there are several.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        if let Some(text) = self.text {
            return Some(text.to_str());
        }
        texts(self.list?).map(Cow::Owned)
    }

    /// The type of the item or block that begins here.
    #[must_use]
    pub fn item_type(&self) -> Option<Cow<'a, str>> {
        raw_member(self.list?, "type").and_then(text).map(Text::to_str)
    }

    /// Why the answer ended, in OpenRouter's words; an unknown word stays as it is.
    #[must_use]
    pub fn finish_reason(&self) -> Option<Cow<'a, str>> {
        let word = self.finish?.to_str();
        let known = match End::of(&word) {
            End::Stop if self.content.calls => "tool_calls",
            End::Stop => "stop",
            End::Length => "length",
            End::ToolCalls => "tool_calls",
            End::Filter => "content_filter",
            End::Error => "error",
            End::None | End::Unknown => return Some(word),
        };
        Some(Cow::Borrowed(known))
    }

    /// The same in the upstream's own word.
    #[must_use]
    pub fn raw_finish_reason(&self) -> Option<Cow<'a, str>> {
        self.finish.map(Text::to_str)
    }

    /// Why a filter withheld the answer, in the upstream's words: the explanation in a message's `stop_details`.
    #[must_use]
    pub fn refusal_explanation(&self) -> Option<Cow<'a, str>> {
        let about = raw_member(self.body, "delta").unwrap_or(self.body);
        let details = raw_member(about, "stop_details")?;
        let explanation = raw_member(details, "explanation").and_then(text)?.to_str();
        (!explanation.trim().is_empty()).then_some(explanation)
    }

    /// The kind of end.
    #[inline]
    #[must_use]
    pub fn end(&self) -> End {
        self.finish.map_or(End::None, |word| End::of(&word.to_str()))
    }

    /// Roughly how many tokens of the model it shows; rather too few than too many. What the upstream's tools brought is none of them.
    #[inline]
    #[must_use]
    pub fn shown_tokens(&self) -> u32 {
        self.content.tokens()
    }

    /// The API that it is of.
    #[inline]
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }
}
