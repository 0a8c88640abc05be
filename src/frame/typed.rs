//! Frames of Responses and of Messages.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use tower_llm_layers::{Shown, Stage};

use super::{ChatFrame, flags::Flags};
use crate::{Api, Error, FailureKind, FrameKind};
use openrouter_wire::{
    assemble::merged,
    chat::ChunkProbe,
    events::{EventProbe, Step},
    json::{Cursor, JsonError, Text, raw_member, text},
};

impl ChatFrame {
    /// The usage of a failed answer, and nothing to show: a sign of life that is counted.
    pub(crate) fn usage_alone(api: Api, usage: &[u8]) -> Self {
        let mut frame = Self::keep_alive().of(api);
        (frame.stage, frame.flags) = (Stage::Trailer, Flags::NONE.with(Flags::HAS_USAGE, true));
        frame.based_on(Some(Bytes::copy_from_slice(usage)))
    }

    /// What it says, if its API is one of typed events.
    pub(super) fn piece(&self) -> Option<EventProbe<'_>> {
        if self.kind() == FrameKind::KeepAlive || !self.is_typed() {
            return None;
        }
        EventProbe::read(self.api, &self.bytes).ok()
    }

    pub(super) const fn is_typed(&self) -> bool {
        matches!(self.api, Api::Responses | Api::Messages)
    }

    /// Its usage as JSON, behind what was reported before it.
    pub(super) fn usage_of_typed(&self) -> Option<Bytes> {
        let own = self.piece().and_then(|piece| piece.usage);
        self.behind_base(own)
    }

    /// The same of a chunk of a chat.
    pub(super) fn usage_with_base(&self) -> Option<Bytes> {
        let probe = ChunkProbe::read(&self.bytes).ok();
        self.behind_base(probe.and_then(|probe| probe.usage_raw()))
    }

    fn behind_base(&self, own: Option<&[u8]>) -> Option<Bytes> {
        let own = own.map(|raw| self.bytes().slice_ref(raw));
        let both: Vec<Bytes> = self.base.as_deref().cloned().into_iter().chain(own).collect();
        merged(&both)
    }

    /// The same behind a frame of its answer that reported usage before it: some upstreams report it in parts.
    pub(crate) fn after_usage_of(self, before: Option<&Self>) -> Self {
        match before.filter(|before| !self.is_typed() && !before.is_typed()) {
            Some(before) => self.based_on(before.usage_with_base()),
            None => self,
        }
    }

    /// The `type` of the event, if its API has typed events: what an `event:` line names.
    #[must_use]
    pub fn event_type(&self) -> Option<Cow<'_, str>> {
        if self.kind() != FrameKind::Chunk || !self.is_typed() {
            return None;
        }
        raw_member(&self.bytes, "type").and_then(text).map(Text::to_str)
    }

    pub(super) fn shown_typed(&self) -> Shown<'_> {
        let Some(piece) = self.piece() else {
            return Shown::Other;
        };
        let said = piece.content;
        if said.is_nothing() {
            Shown::Nothing
        } else if self.kind() == FrameKind::Answer || piece.step == Step::Envelope {
            // An answer that begins with its content has it all at once.
            Shown::Whole
        } else if said.other > 0 {
            Shown::Other
        } else if said.text > 0 {
            piece.text().map_or(Shown::Other, Shown::Text)
        } else {
            Shown::Reasoning
        }
    }

    pub(super) fn must_be_of_chat(&self) -> Result<(), Error> {
        if !self.is_typed() {
            return Ok(());
        }
        let message = format!("this frame is of the {} API: read its bytes", self.api());
        Err(Error::new(FailureKind::Malformed, message))
    }
}

const NO_RESPONSE: &str = r#"{"input_tokens":0,"input_tokens_details":{"cached_tokens":0},"output_tokens":0,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":0,"cost":0}"#;
const NO_MESSAGE: &str =
    r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0,"cost":0}"#;

/// The same JSON with usage of nothing; `None` if it has none.
pub(super) fn without_usage(api: Api, bytes: &Bytes) -> Option<Bytes> {
    let nothing = if api == Api::Messages { NO_MESSAGE } else { NO_RESPONSE };
    let places = places_of_usage(bytes).ok()?;
    let mut json = Vec::with_capacity(bytes.len() + nothing.len());
    let mut from = 0;
    for place in &places {
        json.extend_from_slice(bytes.get(from..place.start)?);
        json.extend_from_slice(nothing.as_bytes());
        from = place.end;
    }
    json.extend_from_slice(bytes.get(from..)?);
    (!places.is_empty()).then(|| json.into())
}

/// Where usage stands: at the top, in the response or in the message.
fn places_of_usage(bytes: &[u8]) -> Result<Vec<Range<usize>>, JsonError> {
    let mut places = Vec::new();
    Cursor::lenient(bytes).object(|key, value| match key.name() {
        b"usage" => place(value, &mut places),
        b"response" | b"message" => value.object_or_skip(|key, value| {
            if key.is("usage") {
                return place(value, &mut places);
            }
            value.skip()
        }),
        _ => value.skip(),
    })?;
    Ok(places)
}

fn place(value: &mut Cursor<'_>, places: &mut Vec<Range<usize>>) -> Result<(), JsonError> {
    let from = value.separator();
    let is_usage = value.raw()?.first() == Some(&b'{');
    if is_usage {
        places.push(from..value.at());
    }
    Ok(())
}
