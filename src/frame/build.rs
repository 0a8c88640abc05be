//! How frames are made, and what is known of them from the start.

use std::sync::Arc;

use bytes::Bytes;
use openrouter_wire::{events::estimate_tokens, json::raw_member};
use tower_llm_layers::Stage;

use super::{ChatFrame, Form, FrameKind, flags::Flags};
use crate::{Api, frame_facts::FrameFacts};

impl ChatFrame {
    pub(crate) const fn keep_alive() -> Self {
        Self {
            bytes: Bytes::new(),
            api: Api::Chat,
            form: Form::KeepAlive,
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

    pub(crate) const fn new(bytes: Bytes, kind: FrameKind, stage: Stage, has_usage: bool) -> Self {
        Self {
            bytes,
            api: Api::Chat,
            form: Form::of(kind),
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

    /// Marks a chunk of a chat that has usage and no choice: only the stack has requested it of the upstream. The mark stays in copies, so that
    /// a replay leaves it out as the first answer did.
    pub(crate) fn mark_added_usage(&mut self) {
        let may_be = self.form == Form::Chunk && self.api == Api::Chat && self.has_usage();
        if may_be && has_no_choice(&self.bytes) {
            self.form = Form::AddedUsage;
        }
    }

    /// Whether it is a chunk with no choice, with usage that only the stack has requested: OpenAI sends none to a client that did not.
    pub(crate) const fn is_added_usage(&self) -> bool {
        matches!(self.form, Form::AddedUsage)
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

/// Whether the list of choices is there, and is empty.
fn has_no_choice(chunk: &[u8]) -> bool {
    let inside = raw_member(chunk, "choices").and_then(|list| list.strip_prefix(b"[")?.strip_suffix(b"]"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use tower_llm_layers::Frame as _;

    use super::*;

    #[test]
    fn a_chunk_with_usage_and_no_choice_is_marked_and_its_copies_are() {
        const USAGE: &str = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
        for (choices, api, has_usage, is_marked) in [
            ("[]", Api::Chat, true, true),
            ("[ ]", Api::Chat, true, true),
            ("[]", Api::Chat, false, false),
            ("null", Api::Chat, true, false),
            (
                r#"[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]"#,
                Api::Chat,
                true,
                false,
            ),
            ("[]", Api::Embeddings, true, false),
        ] {
            let data = format!(r#"{{"id":"gen-1","choices":{choices},{USAGE}}}"#);
            let mut frame = ChatFrame::new(data.into(), FrameKind::Chunk, Stage::Trailer, has_usage).of(api);
            frame.mark_added_usage();
            for frame in [frame.kept(), frame.replayed(), frame] {
                assert_eq!(frame.is_added_usage(), is_marked, "{choices} {api:?} {has_usage}");
                assert_eq!(frame.kind(), FrameKind::Chunk);
            }
        }
    }
}
