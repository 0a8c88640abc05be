//! Copies of a frame with memory of their own: a part of a chunk that was received keeps the whole of it.

use std::sync::Arc;

use bytes::Bytes;
use openrouter_wire::chat::{ChunkProbe, without_usage};

use super::{ChatFrame, typed};
use crate::frame_facts::FrameFacts;

impl ChatFrame {
    /// The same frame.
    pub(crate) fn with_own_bytes(&self) -> Self {
        let own = Bytes::copy_from_slice;
        Self {
            bytes: own(&self.bytes),
            known: self.known.clone(),
            base: self.base.as_ref().map(|base| Box::new(own(base))),
            ..*self
        }
    }

    /// The frame with usage of zero, if there was some.
    pub(super) fn without_usage(&self) -> Self {
        let changed = if self.is_typed() {
            typed::without_usage(self.api, &self.bytes)
        } else {
            self.has_usage().then(|| without_usage(&self.bytes)).flatten()
        };
        let bytes = changed.unwrap_or_else(|| Bytes::copy_from_slice(&self.bytes));
        let is_chat = !self.is_typed();
        let known = is_chat.then(|| ChunkProbe::read(&bytes).ok()).flatten();
        let known = known.and_then(|probe| FrameFacts::of(&probe));
        Self {
            bytes,
            known: known.map(Arc::new),
            base: None,
            ..*self
        }
    }
}
