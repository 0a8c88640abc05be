//! One piece of an answer, as it came.

use std::borrow::Cow;

use bytes::{Buf, Bytes};
use tower_llm_layers::{Frame, Stage, TokenUsage};

use crate::{
    Error,
    response::{ChatChunk, ChatResponse, ChunkProbe, Usage},
};

/// One piece of an answer: an event of a stream, a sign of life, or a whole plain answer.
///
/// It holds the bytes that came, untouched, and the little that the layers need to know of them. The typed views are read
/// on demand. As a [`Buf`] it is those bytes.
#[derive(Debug, Clone)]
pub struct ChatFrame {
    bytes: Bytes,
    form: Form,
    stage: Stage,
    has_usage: bool,
}

/// In which form a frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
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
            form: Form::KeepAlive,
            stage: Stage::KeepAlive,
            has_usage: false,
        }
    }

    pub(crate) const fn new(bytes: Bytes, form: Form, stage: Stage, has_usage: bool) -> Self {
        Self {
            bytes,
            form,
            stage,
            has_usage,
        }
    }

    /// The JSON, as it came; empty for a sign of life.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// In which form it came.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Whether it carries usage, and so the cost.
    #[must_use]
    pub const fn has_usage(&self) -> bool {
        self.has_usage
    }

    /// The text to show, where this frame has some.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        if self.form == Form::KeepAlive {
            return None;
        }
        ChunkProbe::read(&self.bytes).ok()?.text()
    }

    /// The usage, where this frame carries it.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        if !self.has_usage {
            return None;
        }
        ChunkProbe::read(&self.bytes).ok()?.usage()
    }

    /// All of it as a chunk of a stream.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::FailureKind::Malformed) where it is none.
    pub fn chunk(&self) -> Result<ChatChunk, Error> {
        self.read("a chunk of a stream")
    }

    /// All of it as a plain answer.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::FailureKind::Malformed) where it is none.
    pub fn response(&self) -> Result<ChatResponse, Error> {
        self.read("a plain answer")
    }

    fn read<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.bytes).map_err(|cause| unreadable(&format!("this frame is not {what}"), &cause))
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
        self.usage().as_ref().map(Usage::for_layers)
    }

    fn generation_id(&self) -> Option<Cow<'_, str>> {
        if self.form == Form::KeepAlive {
            return None;
        }
        ChunkProbe::read(&self.bytes).ok()?.id().filter(|id| !id.is_empty())
    }

    fn tokens(&self) -> u32 {
        // A chunk carries one token or a few; the envelope around it is far larger than the text.
        u32::from(self.stage == Stage::Content)
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
