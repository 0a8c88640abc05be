//! What was found in a frame when it was read: whatever a layer needs of it later, its bytes are not read again.

use std::{borrow::Cow, ops::Range};

use tower_llm_layers::TokenUsage;

use crate::response::{at_tier, token_usage};
use openrouter_wire::chat::ChunkProbe;
use openrouter_wire::json::Text;

/// Shared by a frame's clones, and by the chunks of a stream that differ in their text alone.
#[derive(Debug)]
pub(crate) struct Known {
    id: Option<Word>,
    model: Option<Word>,
    provider: Option<Word>,
    finish: Option<Word>,
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
struct Word {
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

impl Known {
    /// `None` if a word has escapes, or stands too far inside: then the frame is read again when a caller wants it.
    pub(crate) fn of(probe: &ChunkProbe<'_>) -> Option<Self> {
        let words = [
            probe.id_text(),
            probe.model_text(),
            probe.provider_text(),
            probe.finish_text(),
        ];
        let [id, model, provider, finish] = words.map(|text| match text {
            Some(text) if !text.is_empty() => Word::of(text).map(Some),
            _ => Some(None),
        });
        Some(Self {
            id: id?,
            model: model?,
            provider: provider?,
            finish: finish?,
            text: TextPlace::of(probe)?,
            adds: Adds::of(probe),
            usage: at_tier(probe.usage_raw().and_then(token_usage), probe.service_tier()),
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
}

impl Word {
    fn of(text: Text<'_>) -> Option<Self> {
        text.plain()?;
        let Range { start, end } = text.range();
        Some(Self {
            start: start.try_into().ok()?,
            end: end.try_into().ok()?,
        })
    }

    fn read(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        let word = bytes.get(self.start as usize..self.end as usize)?;
        std::str::from_utf8(word).ok().map(Cow::Borrowed)
    }
}

impl TextPlace {
    fn of(probe: &ChunkProbe<'_>) -> Option<Self> {
        let Some(text) = probe.text_text() else {
            return Some(if probe.has_text() { Self::Unread } else { Self::Nowhere });
        };
        if text.plain().is_none() {
            return Some(Self::Unread);
        }
        let Range { start, end } = text.range();
        let after = probe.len().checked_sub(end)?;
        Some(Self::Between(start.try_into().ok()?, after.try_into().ok()?))
    }
}
