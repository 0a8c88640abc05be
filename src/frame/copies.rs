//! Copies of a frame with memory of their own: a part of a chunk that was received keeps the whole of it.

use std::sync::Arc;

use bytes::Bytes;
use openrouter_wire::chat::{ChunkProbe, unpaid};

use super::{ChatFrame, typed};
use crate::known::Known;

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
    pub(super) fn unpaid(&self) -> Self {
        let unpaid = if self.is_typed() {
            typed::unpaid(self.api, &self.bytes)
        } else {
            self.has_usage().then(|| unpaid(&self.bytes)).flatten()
        };
        let bytes = unpaid.unwrap_or_else(|| Bytes::copy_from_slice(&self.bytes));
        let is_chat = !self.is_typed();
        let known = is_chat.then(|| ChunkProbe::read(&bytes).ok()).flatten();
        let known = known.and_then(|probe| Known::of(&probe));
        Self {
            bytes,
            known: known.map(Arc::new),
            base: None,
            ..*self
        }
    }
}
