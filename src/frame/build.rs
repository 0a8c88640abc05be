//! How frames are made, and what is known of them from the start.

use std::sync::Arc;

use bytes::Bytes;
use openrouter_wire::events::estimate_tokens;
use tower_llm_layers::Stage;

use super::{ChatFrame, FrameKind, flags::Flags};
use crate::{Api, frame_facts::FrameFacts};

impl ChatFrame {
    pub(crate) const fn keep_alive() -> Self {
        Self {
            bytes: Bytes::new(),
            api: Api::Chat,
            form: FrameKind::KeepAlive,
            stage: Stage::KeepAlive,
            flags: Flags::NONE,
            tokens: 0,
            known: None,
            base: None,
        }
    }

    /// A sign of life that is an event of a stream of this API.
    pub(crate) fn ping(api: Api, event: Bytes) -> Self {
        Self {
            bytes: event,
            api,
            ..Self::keep_alive()
        }
    }

    pub(crate) const fn new(bytes: Bytes, form: FrameKind, stage: Stage, has_usage: bool) -> Self {
        Self {
            bytes,
            api: Api::Chat,
            form,
            stage,
            flags: Flags::NONE.with(Flags::HAS_USAGE, has_usage),
            tokens: 0,
            known: None,
            base: None,
        }
    }

    /// The same, behind usage that was reported before.
    pub(crate) fn based_on(mut self, usage: Option<Bytes>) -> Self {
        self.base = usage.map(Box::new);
        self
    }

    /// The same, with usage that was reported outside of its bytes and counts where its own says nothing.
    pub(crate) fn with_usage_beside(mut self, usage: Bytes) -> Self {
        self.flags = self.flags.with(Flags::HAS_USAGE, true);
        self.based_on(Some(usage))
    }

    /// The same, of this API.
    pub(crate) const fn of(mut self, api: Api) -> Self {
        self.api = api;
        self
    }

    /// The same, if the answer ends with it, and ends well.
    pub(crate) const fn ending(mut self, ends_well: bool) -> Self {
        self.flags = self.flags.with(Flags::ENDS_WELL, ends_well);
        self
    }

    /// The same, with so many tokens to show.
    pub(crate) const fn showing(mut self, tokens: u32) -> Self {
        self.tokens = tokens;
        self
    }

    /// The same, where what it says was shown before it.
    pub(crate) const fn repeating(mut self, is_snapshot: bool) -> Self {
        self.flags = self.flags.with(Flags::IS_SNAPSHOT, is_snapshot);
        self
    }

    /// The same, with what was found in it.
    pub(crate) fn with_facts(mut self, known: Option<FrameFacts>) -> Self {
        self.known = known.map(Arc::new);
        self
    }

    /// The chunk of these bytes, if they differ from this one's in nothing but a text without escapes, and the number of an event: what was found
    /// here holds there.
    pub(crate) fn with_other_text(&self, bytes: &Bytes) -> Option<Self> {
        let known = self.known.as_ref()?;
        let (before, after) = known.around_text()?;
        if !known.begins_alike(&self.bytes, bytes, before) {
            return None;
        }
        let rest = bytes.get(before..)?;
        let end = rest.len().checked_sub(after)?;
        let (text, rest) = rest.split_at_checked(end)?;
        if text.is_empty() || self.bytes.get(self.bytes.len().checked_sub(after)?..)? != rest {
            return None;
        }
        let is_plain = !text.iter().any(|byte| *byte < 0x20 || matches!(byte, b'"' | b'\\'));
        (is_plain && std::str::from_utf8(text).is_ok()).then(|| Self {
            bytes: bytes.clone(),
            tokens: estimate_tokens(text).max(1),
            known: Some(Arc::clone(known)),
            base: None,
            ..*self
        })
    }

    /// How many bytes the text has; `None` if its place is not known.
    pub(crate) fn text_bytes(&self) -> Option<usize> {
        let (before, after) = self.known.as_ref()?.around_text()?;
        self.bytes.len().checked_sub(before + after)
    }
}
