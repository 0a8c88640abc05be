//! What an answer says in words: its text, its names, its end, its usage and its failure.

use std::borrow::Cow;

use super::{ChunkProbe, parts};
use crate::{
    error::UpstreamError,
    finish::FinishReason,
    json::Text,
    usage::{Usage, answer_tokens},
    view::read_whole,
};

impl<'a> ChunkProbe<'a> {
    /// How many tokens the usage says the answer has.
    #[must_use]
    pub fn completion_tokens(&self) -> Option<u64> {
        answer_tokens(self.usage_raw()?)
    }

    /// The text of the first choice that has one. Copies only if it has escapes, or comes in parts.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let parts = || self.parts.and_then(parts::text).map(Cow::Owned);
        self.text.map(Text::to_str).or_else(parts)
    }

    /// The reasoning of the first choice that has one. Copies only if it has escapes.
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

    /// Why the first choice that says so ended, in the upstream's word; see [`FinishReason::normalized`].
    #[must_use]
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.finish.map(|reason| FinishReason::from(&*reason.to_str()))
    }

    /// The same in the upstream's own word.
    #[must_use]
    pub fn raw_finish_reason(&self) -> Option<Cow<'a, str>> {
        self.finish.map(Text::to_str)
    }

    /// The provider's own word for why the answer ended.
    #[must_use]
    pub fn raw_native_finish_reason(&self) -> Option<Cow<'a, str>> {
        self.native.map(Text::to_str)
    }

    /// The generation, as it is written.
    #[inline]
    #[must_use]
    pub fn id_text(&self) -> Option<Text<'a>> {
        self.id
    }

    /// The model that answers, likewise.
    #[inline]
    #[must_use]
    pub fn model_text(&self) -> Option<Text<'a>> {
        self.model
    }

    /// The provider that answers, likewise.
    #[inline]
    #[must_use]
    pub fn provider_text(&self) -> Option<Text<'a>> {
        self.provider
    }

    /// Why the first choice that says so ended, likewise.
    #[inline]
    #[must_use]
    pub fn finish_text(&self) -> Option<Text<'a>> {
        self.finish
    }

    /// The text of the first choice that has one, likewise; `None` if it comes in parts.
    #[inline]
    #[must_use]
    pub fn text_text(&self) -> Option<Text<'a>> {
        self.text
    }

    /// How many bytes were read.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// What the answer took, as JSON text.
    #[inline]
    #[must_use]
    pub fn usage_raw(&self) -> Option<&'a [u8]> {
        self.usage.or(self.usage_beside)
    }

    /// What the answer took. This builds it.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        read_whole(self.usage_raw()?)
    }

    /// The failure. This builds it.
    #[must_use]
    pub fn upstream_error(&self) -> Option<UpstreamError> {
        self.is_failure().then(|| UpstreamError::parse(self.body)).flatten()
    }
}
