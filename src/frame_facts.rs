//! What was found in a frame when it was read: whatever a layer needs of it later, its bytes are not read again.

use std::{borrow::Cow, ops::Range};

use memchr::memmem;
use tower_llm_layers::TokenUsage;

use crate::response::{at_tier, token_usage};
use openrouter_wire::chat::ChunkProbe;
use openrouter_wire::events::{ContentSize, EventProbe};
use openrouter_wire::json::Text;

/// Shared by a frame's clones, and by the chunks of a stream that differ in their text alone.
#[derive(Debug)]
pub(crate) struct FrameFacts {
    id: Option<FieldSpan>,
    model: Option<FieldSpan>,
    provider: Option<FieldSpan>,
    finish: Option<FieldSpan>,
    /// The number of an event of Responses, if it stands before the text.
    number: Option<FieldSpan>,
    text: TextPlace,
    pub(crate) adds: Adds,
    pub(crate) usage: Option<TokenUsage>,
}

/// What a chunk adds to what the caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    Nothing,
    Text,
    Reasoning,
    Other,
}

/// A word without escapes, as its place in the frame.
#[derive(Debug, Clone, Copy)]
struct FieldSpan {
    start: u32,
    end: u32,
}

/// Where the text of the first choice stands that has one.
#[derive(Debug, Clone, Copy)]
enum TextPlace {
    Nowhere,
    /// Behind so many bytes, and before so many: chunks that differ in their text alone have both in common.
    Between(u32, u32),
    /// It has escapes, or comes in parts: it is read when a caller wants it.
    Unread,
}

impl FrameFacts {
    /// `None` if a word has escapes, or stands too far inside: then the frame is read again when a caller wants it.
    pub(crate) fn of(probe: &ChunkProbe<'_>) -> Option<Self> {
        let words = [
            probe.id_text(),
            probe.model_text(),
            probe.provider_text(),
            probe.finish_text(),
        ];
        let [id, model, provider, finish] = words.map(|text| match text {
            Some(text) if !text.is_empty() => FieldSpan::of(text).map(Some),
            _ => Some(None),
        });
        Some(Self {
            id: id?,
            model: model?,
            provider: provider?,
            finish: finish?,
            number: None,
            text: TextPlace::of(probe.text_text(), probe.has_text(), probe.len())?,
            adds: Adds::of(probe),
            usage: at_tier(probe.usage_raw().and_then(token_usage), probe.service_tier()),
        })
    }

    /// The same of an event of Responses or of Messages that is a delta and nothing else; `None` of any other.
    pub(crate) fn of_delta(piece: &EventProbe<'_>) -> Option<Self> {
        if !piece.is_delta_alone() {
            return None;
        }
        let (text, body) = (piece.text_text(), piece.body());
        let before = text.map_or(0, |text| text.range().start);
        let number = piece.number().filter(|number| {
            let digits = body.get(number.clone()).unwrap_or_default();
            number.end <= before && is_whole_number(digits)
        });
        Some(Self {
            id: None,
            model: None,
            provider: None,
            finish: None,
            number: number.and_then(FieldSpan::at),
            text: TextPlace::of(text, text.is_some(), body.len())?,
            adds: Adds::of_delta(piece.content),
            usage: None,
        })
    }

    /// Whether a word of the frame that layers record holds this text.
    pub(crate) fn has_word_with(&self, frame: &[u8], text: &[u8]) -> bool {
        let words = [self.id, self.model, self.provider, self.finish];
        let mut words = words.into_iter().flatten().filter(|word| word.length() >= text.len());
        words.any(|word| {
            let word = frame.get(word.start as usize..word.end as usize);
            word.is_some_and(|word| memmem::find(word, text).is_some())
        })
    }

    pub(crate) fn id<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        self.id?.read(bytes)
    }

    pub(crate) fn model<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        self.model?.read(bytes)
    }

    pub(crate) fn provider<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        self.provider?.read(bytes)
    }

    pub(crate) fn finish<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        self.finish?.read(bytes)
    }

    /// The text; `None` if it must be read.
    pub(crate) fn text<'a>(&self, bytes: &'a [u8]) -> Option<Option<Cow<'a, str>>> {
        match self.text {
            TextPlace::Nowhere => Some(None),
            TextPlace::Between(before, after) => {
                let end = bytes.len().checked_sub(after as usize)?;
                std::str::from_utf8(bytes.get(before as usize..end)?)
                    .ok()
                    .map(|text| Some(text.into()))
            }
            TextPlace::Unread => None,
        }
    }

    /// Whether another event begins as this one does up to its text, but for the number.
    pub(crate) fn begins_alike(&self, own: &[u8], other: &[u8], before: usize) -> bool {
        let alike = |from, to| own.get(from..to).is_some_and(|own| other.get(from..to) == Some(own));
        match self.number {
            None => alike(0, before),
            Some(FieldSpan { start, end }) => {
                let (start, end) = (start as usize, end as usize);
                alike(0, start) && alike(end, before) && other.get(start..end).is_some_and(is_whole_number)
            }
        }
    }

    /// What stands before the text and after it, if the frame is nothing but a text in the one choice of a chunk that continues.
    pub(crate) fn around_text(&self) -> Option<(usize, usize)> {
        let TextPlace::Between(before, after) = self.text else {
            return None;
        };
        let continues = self.adds == Adds::Text && self.finish.is_none() && self.usage.is_none();
        continues.then_some((before as usize, after as usize))
    }
}

impl Adds {
    fn of(probe: &ChunkProbe<'_>) -> Self {
        if probe.max_index() > 0 || probe.has_beside_text() {
            Self::Other
        } else if probe.has_text() {
            Self::Text
        } else if probe.has_content() {
            Self::Reasoning
        } else {
            Self::Nothing
        }
    }

    const fn of_delta(said: ContentSize) -> Self {
        match said {
            ContentSize { other: 1.., .. } => Self::Other,
            ContentSize { text: 1.., .. } => Self::Text,
            ContentSize { reasoning: 1.., .. } | ContentSize { summary: 1.., .. } => Self::Reasoning,
            _ => Self::Nothing,
        }
    }
}

/// Written without a sign, a fraction or a leading zero.
fn is_whole_number(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit) && (digits.len() == 1 || digits.first().is_some_and(|first| *first != b'0'))
}

impl FieldSpan {
    fn of(text: Text<'_>) -> Option<Self> {
        text.plain()?;
        Self::at(text.range())
    }

    fn at(Range { start, end }: Range<usize>) -> Option<Self> {
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    const fn length(self) -> usize {
        (self.end - self.start) as usize
    }

    fn read(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        let word = bytes.get(self.start as usize..self.end as usize)?;
        std::str::from_utf8(word).ok().map(Cow::Borrowed)
    }
}

impl TextPlace {
    fn of(text: Option<Text<'_>>, has_text: bool, length: usize) -> Option<Self> {
        let Some(text) = text else {
            return Some(if has_text { Self::Unread } else { Self::Nowhere });
        };
        if text.plain().is_none() {
            return Some(Self::Unread);
        }
        let Range { start, end } = text.range();
        let after = length.checked_sub(end)?;
        Some(Self::Between(start.try_into().ok()?, after.try_into().ok()?))
    }
}
