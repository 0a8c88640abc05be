//! One piece of an answer, as it came.

use std::{borrow::Cow, ops::Range};

use bytes::{Buf, Bytes};
use tower_llm_layers::{Frame, Shown, Stage, TokenUsage};

use crate::{
    Api, Error,
    api::Piece,
    assemble::merged,
    bounds::cut_cow,
    request::{
        Document, JsonError,
        facts::{raw_member, text},
        scan::{Cursor, Text, json_string},
    },
    response::{ChatChunk, ChatResponse, ChunkProbe, Usage, read_usage},
};

/// One piece of an answer: an event of a stream, a sign of life, or a whole plain answer.
///
/// It holds the bytes that came, untouched, and the few facts that the layers need. The typed views are read
/// on demand. As a [`Buf`] it is those bytes.
#[derive(Debug, Clone)]
pub struct ChatFrame {
    bytes: Bytes,
    api: Api,
    form: FrameKind,
    stage: Stage,
    has_usage: bool,
    ends_well: bool,
    /// It repeats what was shown before it: a chunk with the message so far.
    is_snapshot: bool,
    /// Roughly how many tokens of the answer it shows.
    tokens: u32,
    /// Usage that was reported before it and counts where its own says nothing; of a sign of life, the usage that it brings.
    base: Option<Box<Bytes>>,
}

/// In which form a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A comment of the stream: a sign of life.
    KeepAlive,
    /// The data of one event: a chunk of a streamed answer.
    Chunk,
    /// A whole plain answer.
    Answer,
}

impl ChatFrame {
    pub(crate) const fn keep_alive() -> Self {
        Self {
            bytes: Bytes::new(),
            api: Api::Chat,
            form: FrameKind::KeepAlive,
            stage: Stage::KeepAlive,
            has_usage: false,
            ends_well: false,
            is_snapshot: false,
            tokens: 0,
            base: None,
        }
    }

    pub(crate) const fn new(bytes: Bytes, form: FrameKind, stage: Stage, has_usage: bool) -> Self {
        Self {
            bytes,
            api: Api::Chat,
            form,
            stage,
            has_usage,
            ends_well: false,
            is_snapshot: false,
            tokens: 0,
            base: None,
        }
    }

    /// The usage of a failed answer, and nothing to show: a sign of life that is counted.
    pub(crate) fn usage_alone(api: Api, usage: &[u8]) -> Self {
        let mut frame = Self::keep_alive().of(api);
        (frame.stage, frame.has_usage) = (Stage::Trailer, true);
        frame.based_on(Some(Bytes::copy_from_slice(usage)))
    }

    /// The same, behind usage that was reported before.
    pub(crate) fn based_on(mut self, usage: Option<Bytes>) -> Self {
        self.base = usage.map(Box::new);
        self
    }

    /// What it says, if its API is one of typed events.
    fn piece(&self) -> Option<Piece<'_>> {
        if self.form == FrameKind::KeepAlive || !self.is_typed() {
            return None;
        }
        Piece::read(self.api, &self.bytes).ok()
    }

    const fn is_typed(&self) -> bool {
        matches!(self.api, Api::Responses | Api::Messages)
    }

    /// The `type` of the event, if its API has typed events: what an `event:` line names.
    #[must_use]
    pub fn event_type(&self) -> Option<Cow<'_, str>> {
        if self.form != FrameKind::Chunk || !self.is_typed() {
            return None;
        }
        raw_member(&self.bytes, "type").and_then(text).map(Text::to_str)
    }

    /// The same, of this API.
    pub(crate) const fn of(mut self, api: Api) -> Self {
        self.api = api;
        self
    }

    /// The same, if the answer ends with it, and ends well.
    pub(crate) const fn ending(mut self, ends_well: bool) -> Self {
        self.ends_well = ends_well;
        self
    }

    /// The same, with so many tokens to show.
    pub(crate) const fn showing(mut self, tokens: u32) -> Self {
        self.tokens = tokens;
        self
    }

    /// The same, where what it says was shown before it.
    pub(crate) const fn repeating(mut self, is_snapshot: bool) -> Self {
        self.is_snapshot = is_snapshot;
        self
    }

    /// The JSON, as it came; empty for a sign of life.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The API in whose shape it is. A sign of life has no shape, and says chat.
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }

    /// In which form it came.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        self.form
    }

    /// Whether it carries usage, and so the cost.
    #[must_use]
    pub const fn has_usage(&self) -> bool {
        self.has_usage
    }

    /// The text to show, if this frame has some. A chunk that repeats the whole message, as some servers send it last, has none.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        if self.form == FrameKind::KeepAlive || self.is_snapshot {
            return None;
        }
        if self.is_typed() {
            return self.piece()?.text();
        }
        ChunkProbe::read(&self.bytes).ok()?.text()
    }

    /// The usage, if this frame carries it.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if !self.has_usage {
            return None;
        }
        if self.is_typed() {
            let own = self.piece().and_then(|piece| piece.usage);
            let own = own.map(|raw| self.bytes.slice_ref(raw));
            let both: Vec<Bytes> = self.base.as_deref().cloned().into_iter().chain(own).collect();
            return read_usage(&merged(&both)?);
        }
        ChunkProbe::read(&self.bytes).ok()?.usage()
    }

    /// All of it as a chunk of a stream.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::FailureKind::Malformed) if it is none.
    pub fn chunk(&self) -> Result<ChatChunk, Error> {
        self.must_be_of_chat()?;
        ChatChunk::from_json(&self.bytes).map_err(|cause| unreadable("this frame is not a chunk of a stream", &cause))
    }

    /// All of it as a plain answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::FailureKind::Malformed) if it is none.
    pub fn response(&self) -> Result<ChatResponse, Error> {
        self.must_be_of_chat()?;
        ChatResponse::from_json(&self.bytes).map_err(|cause| unreadable("this frame is not a plain answer", &cause))
    }
}

/// The same JSON with usage of nothing.
fn unpaid(bytes: &Bytes) -> Option<Bytes> {
    const NOTHING: &[u8] = br#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0}"#;
    let mut document = Document::parse_answer(bytes).ok()?;
    document.set("usage", Bytes::from_static(NOTHING));
    Some(document.to_bytes())
}

/// The same chunk with another text in its first choice. Nothing else is read, so nothing else is lost.
fn written_anew(bytes: &Bytes, text: &str) -> Option<Bytes> {
    let place = place_of_text(bytes).ok()??;
    let (before, after) = (bytes.get(..place.start)?, bytes.get(place.end..)?);
    Some([before, &json_string(text), after].concat().into())
}

/// Where the text of the first choice stands. The text of a completion is a member of the choice itself.
fn place_of_text(bytes: &[u8]) -> Result<Option<Range<usize>>, JsonError> {
    let (mut completion, mut delta) = (None, None);
    Cursor::lenient(bytes).object(|key, value| {
        if !key.is("choices") {
            return value.skip();
        }
        let mut first = true;
        value.array_or_skip(|choice| {
            if !std::mem::take(&mut first) {
                return choice.skip();
            }
            choice.object_or_skip(|key, value| match key.name() {
                b"text" => place_of(value).map(|place| completion = Some(place)),
                b"delta" => value.object_or_skip(|key, value| {
                    if key.is("content") {
                        return place_of(value).map(|place| delta = Some(place));
                    }
                    value.skip()
                }),
                _ => value.skip(),
            })
        })
    })?;
    Ok(completion.or(delta))
}

fn place_of(value: &mut Cursor<'_>) -> Result<Range<usize>, JsonError> {
    let from = value.separator();
    value.skip()?;
    Ok(from..value.at())
}

/// What could not be read, and where: the parser's own words may quote the text.
pub(crate) fn unreadable(what: &str, cause: &serde_json::Error) -> Error {
    let message = format!("{what}: line {}, column {}", cause.line(), cause.column());
    Error::new(crate::FailureKind::Malformed, message)
}

impl Frame for ChatFrame {
    fn stage(&self) -> Stage {
        self.stage
    }

    fn token_usage(&self) -> Option<TokenUsage> {
        self.usage().as_ref().and_then(Usage::for_layers)
    }

    fn shown(&self) -> Shown<'_> {
        if self.form == FrameKind::KeepAlive || self.is_snapshot {
            return Shown::Nothing;
        }
        if self.is_typed() {
            return self.shown_typed();
        }
        let Ok(probe) = ChunkProbe::read(&self.bytes) else {
            return Shown::Other;
        };
        match probe.text() {
            // A whole answer, or one of several, cannot be resumed.
            _ if self.form == FrameKind::Answer || probe.max_index() > 0 || probe.has_beside_text() => Shown::Other,
            Some(text) => Shown::Text(text),
            None if probe.has_content() => Shown::Reasoning,
            None => Shown::Nothing,
        }
    }

    fn with_text(self, text: &str) -> Self {
        if self.is_typed() {
            return self;
        }
        let bytes = written_anew(&self.bytes, text).unwrap_or_else(|| self.bytes.clone());
        Self { bytes, ..self }
    }

    fn generation_id(&self) -> Option<Cow<'_, str>> {
        if self.form == FrameKind::KeepAlive {
            return None;
        }
        if self.is_typed() {
            return self.piece()?.id.map(Text::to_str).map(cut_cow);
        }
        let id = ChunkProbe::read(&self.bytes).ok()?.id().filter(|id| !id.is_empty());
        id.map(cut_cow)
    }

    fn model(&self) -> Option<Cow<'_, str>> {
        if self.form == FrameKind::KeepAlive {
            return None;
        }
        if self.is_typed() {
            return self.piece()?.model.map(Text::to_str);
        }
        ChunkProbe::read(&self.bytes)
            .ok()?
            .model()
            .filter(|model| !model.is_empty())
    }

    fn finish_reason(&self) -> Option<Cow<'_, str>> {
        if self.form == FrameKind::KeepAlive {
            return None;
        }
        if self.is_typed() {
            return self.piece()?.finish_word();
        }
        ChunkProbe::read(&self.bytes).ok()?.finish_word()
    }

    fn finishes_answer(&self) -> bool {
        self.ends_well
    }

    fn size_in_bytes(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.base.as_ref().map_or(0, |base| base.len())
    }

    /// The bytes are copied, so that they do not keep the rest of what came with them; with usage of zero, if there was some.
    fn replayed(&self) -> Self {
        let unpaid = if self.is_typed() {
            typed::unpaid(self.api, &self.bytes)
        } else {
            self.has_usage.then(|| unpaid(&self.bytes)).flatten()
        };
        Self {
            bytes: unpaid.unwrap_or_else(|| Bytes::copy_from_slice(&self.bytes)),
            base: None,
            ..*self
        }
    }

    fn tokens(&self) -> u32 {
        self.tokens
    }
}

impl Buf for ChatFrame {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        Buf::chunk(&self.bytes)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl From<ChatFrame> for Bytes {
    fn from(frame: ChatFrame) -> Self {
        frame.bytes
    }
}

#[cfg(test)]
mod tests;
mod typed;
