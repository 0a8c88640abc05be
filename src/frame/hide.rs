//! Names in a frame that hold the key that was sent: an upstream may echo it, and layers record names.

use std::borrow::Cow;

use memchr::{memchr, memmem};
use tower_llm_layers::{Frame as _, Stage};

use super::{ChatFrame, FrameKind, flags::Flags};
use crate::sent_key::SentKey;

/// Which names of an answer hold the key, for an answer that is put together out of frames.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiddenNames(Flags);

impl Default for HiddenNames {
    fn default() -> Self {
        Self(Flags::NONE)
    }
}

impl HiddenNames {
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }
}

impl ChatFrame {
    /// Hides the key: a name that holds it is none, and is recorded nowhere. The bytes stay as they came.
    ///
    /// A key is longer than nearly all names, so that the lengths alone decide in most frames.
    pub(crate) fn hide(&mut self, key: &SentKey) {
        let Some(bytes) = key.bytes() else { return };
        if self.kind() == FrameKind::KeepAlive || self.bytes.len() < bytes.len() {
            return;
        }
        // A router says at the end what it tried.
        let may_be_routed = self.kind() == FrameKind::Answer
            || self.flags.has(Flags::ENDS_WELL)
            || matches!(self.stage, Stage::Finish | Stage::Trailer);
        let may_be_named = self
            .known
            .as_ref()
            .is_none_or(|known| known.has_word_with(&self.bytes, bytes));
        if (may_be_routed || may_be_named) && may_hold(&self.bytes, bytes) {
            self.hide_names(key);
        }
    }

    #[cold]
    fn hide_names(&mut self, key: &SentKey) {
        let holds = |name: &str| key.hide(name).is_some();
        let in_name = |name: Option<Cow<'_, str>>| name.is_some_and(|name| holds(&name));
        let routed = self.router_attempts();
        let mut routed = routed
            .iter()
            .flat_map(|tried| [&tried.provider, &tried.model])
            .flatten();
        let found = [
            (Flags::HIDES_ID, in_name(self.generation_id())),
            (Flags::HIDES_MODEL, in_name(self.model())),
            (Flags::HIDES_PROVIDER, in_name(self.provider())),
            (Flags::HIDES_FINISH, in_name(self.finish_reason())),
            (Flags::HIDES_ROUTED, routed.any(|name| holds(name))),
        ];
        for (flag, _) in found.into_iter().filter(|(_, is_found)| *is_found) {
            self.flags = self.flags.and(flag);
        }
    }

    /// Which of its names hold the key.
    pub(crate) const fn hidden_names(&self) -> HiddenNames {
        HiddenNames(self.flags.of_names())
    }

    /// The same, if frames that it was made of hide these names.
    pub(crate) const fn hiding(mut self, names: HiddenNames) -> Self {
        self.flags = self.flags.and(names.0);
        self
    }
}

/// Whether the JSON may hold this text in a string, escaped or not.
fn may_hold(json: &[u8], text: &[u8]) -> bool {
    memmem::find(json, text).is_some()
        || memmem::find(json, br"\u00").is_some()
        || (memchr(b'/', text).is_some() && memmem::find(json, br"\/").is_some())
}
