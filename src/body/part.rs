//! What a chunk of a stream is to the caller: a piece of the answer, or a sign of life.

use bytes::Bytes;
use tower_llm_layers::Stage;

use crate::{ChatFrame, frame::FrameKind};

/// What a chunk is to the caller.
pub(super) enum Chunk {
    KeepAlive,
    Part {
        form: FrameKind,
        stage: Stage,
        has_usage: bool,
        ends_well: bool,
        tokens: u32,
        is_snapshot: bool,
        /// Its bytes, if they are not those that came.
        news: Option<Bytes>,
    },
}

impl Chunk {
    pub(super) const fn trailer() -> Self {
        Self::Part {
            form: FrameKind::Chunk,
            stage: Stage::Trailer,
            has_usage: true,
            ends_well: false,
            tokens: 0,
            is_snapshot: false,
            news: None,
        }
    }

    /// Whether it is a piece of the answer that shows something for the first time, and neither ends nor accounts for it.
    pub(super) const fn shows_text(&self) -> bool {
        matches!(
            self,
            Self::Part {
                form: FrameKind::Chunk,
                stage: Stage::Content,
                has_usage: false,
                ends_well: false,
                is_snapshot: false,
                ..
            }
        )
    }

    /// Its bytes, if they are not those that came.
    pub(super) const fn take_news(&mut self) -> Option<Bytes> {
        match self {
            Self::Part { news, .. } => news.take(),
            Self::KeepAlive => None,
        }
    }

    pub(super) fn frame(self, data: Bytes) -> ChatFrame {
        match self {
            Self::KeepAlive => ChatFrame::keep_alive(),
            Self::Part {
                form,
                stage,
                has_usage,
                ends_well,
                tokens,
                is_snapshot,
                news: _,
            } => ChatFrame::new(data, form, stage, has_usage)
                .ending(ends_well)
                .showing(tokens)
                .repeating(is_snapshot),
        }
    }
}
