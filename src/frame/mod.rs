//! One piece of an answer, as it came.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use tower_llm_layers::{Block, Frame, RouterAttempt, Shown, Splice, Stage, TokenUsage};

use self::flags::Flags;
pub(crate) use self::hide::HiddenNames;
use crate::{
    Api, Error,
    bounds::cut_cow,
    frame_facts::{Adds, FrameFacts},
    response::{UsageExt as _, at_tier, token_usage, usage_of_vectors},
    sent_key::HIDDEN,
};
use openrouter_wire::json::Text;
use openrouter_wire::{
    chat::{ChatChunk, ChatResponse, ChunkProbe, with_other_text},
    events::Step,
    finish::End,
    usage::Usage,
};

/// One piece of an answer: an event of a stream, a sign of life, or a whole plain answer.
///
/// It holds the bytes that came, untouched, and the few facts that the layers need. The typed views are read
/// on demand. As a [`Buf`](bytes::Buf) it is those bytes.
#[derive(Debug, Clone)]
pub struct ChatFrame {
    bytes: Bytes,
    api: Api,
    form: Form,
    stage: Stage,
    flags: Flags,
    /// Roughly how many tokens of the answer it shows.
    tokens: u32,
    /// What was found when it was read; without it, it is read again for each question.
    known: Option<Arc<FrameFacts>>,
    /// Usage that was reported before it and counts where its own says nothing; of a sign of life, the usage that it brings.
    base: Option<Box<Bytes>>,
}

/// In which form a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameKind {
    /// A sign of life: a comment of the stream, or an event that says no more, such as a ping of Messages.
    KeepAlive,
    /// The data of one event: a chunk of a streamed answer.
    Chunk,
    /// A whole plain answer.
    Answer,
}

/// As what it is held: its kind, and whether a chunk is one that the client does not expect. A field of its own would make each frame larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    KeepAlive,
    Chunk,
    /// A chunk with no choice, with the usage that only the stack requested.
    AddedUsage,
    Answer,
}

impl Form {
    const fn of(kind: FrameKind) -> Self {
        match kind {
            FrameKind::KeepAlive => Self::KeepAlive,
            FrameKind::Chunk => Self::Chunk,
            FrameKind::Answer => Self::Answer,
        }
    }
}

impl ChatFrame {
    /// The JSON, as it came; empty for a sign of life that is no event of its API.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The API in whose shape it is. A sign of life without bytes has no shape, and says chat.
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }

    /// In which form it came.
    #[must_use]
    pub const fn kind(&self) -> FrameKind {
        match self.form {
            Form::KeepAlive => FrameKind::KeepAlive,
            Form::Chunk | Form::AddedUsage => FrameKind::Chunk,
            Form::Answer => FrameKind::Answer,
        }
    }

    /// Whether it carries usage, and so the cost.
    #[must_use]
    pub const fn has_usage(&self) -> bool {
        self.flags.has(Flags::HAS_USAGE)
    }

    /// The text to show, if this frame has some. A chunk that repeats the whole message, as some servers send it last, has none.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        if self.kind() == FrameKind::KeepAlive || self.flags.has(Flags::IS_SNAPSHOT) {
            return None;
        }
        if let Some(text) = self.known.as_ref().and_then(|known| known.text(&self.bytes)) {
            return text;
        }
        if self.is_typed() {
            return self.piece()?.text();
        }
        ChunkProbe::read(&self.bytes).ok()?.text()
    }

    /// The usage, if this frame carries it.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if !self.has_usage() {
            return None;
        }
        if self.is_typed() {
            return Usage::from_json(&self.usage_of_typed()?);
        }
        if self.base.is_some() && self.kind() != FrameKind::KeepAlive {
            return Usage::from_json(&self.usage_with_base()?);
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
        if !self.has_usage() {
            return None;
        }
        if self.is_typed() {
            let tier = self.piece().and_then(|piece| piece.service_tier());
            return at_tier(self.usage()?.for_layers(), tier);
        }
        let is_completed = self.base.is_some() && self.kind() == FrameKind::Answer;
        if let Some(known) = self.known.as_ref().filter(|_| !is_completed) {
            return known.usage;
        }
        let probe = ChunkProbe::read(&self.bytes).ok()?;
        let usage = if self.api == Api::Embeddings {
            usage_of_vectors(self.usage()?)
        } else if is_completed {
            self.usage()?.for_layers()
        } else {
            token_usage(probe.usage_raw()?)
        };
        at_tier(usage, probe.service_tier())
    }

    fn shown(&self) -> Shown<'_> {
        if self.kind() == FrameKind::KeepAlive || self.flags.has(Flags::IS_SNAPSHOT) {
            return Shown::Nothing;
        }
        if let Some(known) = &self.known {
            match known.adds {
                _ if self.kind() == FrameKind::Answer => return Shown::Whole,
                Adds::Other => return Shown::Other,
                Adds::Reasoning => return Shown::Reasoning,
                Adds::Nothing => return Shown::Nothing,
                Adds::Text => {
                    if let Some(Some(text)) = known.text(&self.bytes) {
                        return Shown::Text(text);
                    }
                }
            }
        }
        if self.is_typed() {
            return self.shown_typed();
        }
        let Ok(probe) = ChunkProbe::read(&self.bytes) else {
            return Shown::Other;
        };
        match probe.text() {
            _ if self.kind() == FrameKind::Answer => Shown::Whole,
            // One of several answers cannot be resumed.
            _ if probe.max_index() > 0 || probe.has_beside_text() => Shown::Other,
            Some(text) => Shown::Text(text),
            None if probe.has_content() => Shown::Reasoning,
            None => Shown::Nothing,
        }
    }

    fn with_text(self, text: &str) -> Self {
        if self.is_typed() {
            return self.message_with_text(text).unwrap_or(self);
        }
        let bytes = with_other_text(&self.bytes, text).unwrap_or_else(|| self.bytes.clone());
        let known = ChunkProbe::read(&bytes).ok().and_then(|probe| FrameFacts::of(&probe));
        Self { bytes, ..self }.with_facts(known)
    }

    fn block(&self) -> Option<Block> {
        self.block_of_message()
    }

    fn spliced(&self, splice: Splice) -> Option<Self> {
        self.spliced_message(splice)
    }

    fn generation_id(&self) -> Option<Cow<'_, str>> {
        if self.kind() == FrameKind::KeepAlive || self.flags.has(Flags::HIDES_ID) {
            return None;
        }
        if let Some(known) = &self.known {
            return known.id(&self.bytes).map(cut_cow);
        }
        if self.is_typed() {
            return self.piece()?.id.map(Text::to_str).map(cut_cow);
        }
        let id = ChunkProbe::read(&self.bytes).ok()?.id().filter(|id| !id.is_empty());
        id.map(cut_cow)
    }

    fn model(&self) -> Option<Cow<'_, str>> {
        if self.kind() == FrameKind::KeepAlive || self.flags.has(Flags::HIDES_MODEL) {
            return None;
        }
        if let Some(known) = &self.known {
            return known.model(&self.bytes);
        }
        if self.is_typed() {
            return self.piece()?.model.map(Text::to_str);
        }
        ChunkProbe::read(&self.bytes)
            .ok()?
            .model()
            .filter(|model| !model.is_empty())
    }

    fn provider(&self) -> Option<Cow<'_, str>> {
        if self.kind() == FrameKind::KeepAlive || self.flags.has(Flags::HIDES_PROVIDER) {
            return None;
        }
        if let Some(known) = &self.known {
            return known.provider(&self.bytes).map(cut_cow);
        }
        if self.is_typed() {
            return self.piece()?.provider.map(Text::to_str).map(cut_cow);
        }
        let provider = ChunkProbe::read(&self.bytes).ok()?.provider();
        provider.filter(|provider| !provider.is_empty()).map(cut_cow)
    }

    fn finish_reason(&self) -> Option<Cow<'_, str>> {
        if self.kind() == FrameKind::KeepAlive {
            return None;
        }
        if self.flags.has(Flags::HIDES_FINISH) {
            // There is one all the same.
            return Some(HIDDEN.into());
        }
        if let Some(known) = &self.known {
            return known.finish(&self.bytes);
        }
        if self.is_typed() {
            return self.piece()?.finish_reason();
        }
        ChunkProbe::read(&self.bytes).ok()?.raw_finish_reason()
    }

    fn is_cut_short(&self) -> bool {
        let end = self.finish_reason().map(|reason| End::of(&reason));
        matches!(end, Some(End::Length | End::Filter))
    }

    fn finishes_answer(&self) -> bool {
        self.flags.has(Flags::ENDS_WELL)
    }

    /// `message_stop`, or the last event of a response. A chat has none: its usage follows its end, and `[DONE]` is no frame.
    fn is_last(&self) -> bool {
        self.kind() == FrameKind::Chunk && self.piece().is_some_and(|piece| piece.step == Step::Ends)
    }

    fn size_in_bytes(&self) -> usize {
        let known = self.known.as_ref().map_or(0, |_| size_of::<FrameFacts>());
        let base = self.base.as_ref().map_or(0, |base| base.len());
        size_of::<Self>() + self.bytes.len() + known + base
    }

    fn router_attempts(&self) -> Vec<RouterAttempt> {
        if self.flags.has(Flags::HIDES_ROUTED) {
            return Vec::new();
        }
        crate::router_metadata::attempts(&self.bytes)
    }

    fn kept(&self) -> Self {
        self.with_own_bytes()
    }

    fn replayed(&self) -> Self {
        self.without_usage()
    }

    fn tokens(&self) -> u32 {
        self.tokens
    }
}

mod buf;
mod build;
mod copies;
mod flags;
mod hide;
mod splice;
#[cfg(feature = "cache")]
mod stored;
#[cfg(test)]
mod tests;
mod typed;
