//! What a layer knows of one piece of an answer.

use std::borrow::Cow;

use crate::TokenUsage;

/// How far along the answer one frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// A sign of life without content, such as an SSE comment. It proves that the connection lives; it never counts
    /// as the first token.
    KeepAlive,
    /// Part of the answer's envelope, but nothing to show: a role-only chunk, a blank delta.
    Preamble,
    /// Something to show: text, reasoning, a tool call, a refusal.
    Content,
    /// The end of the answer without further content.
    Finish,
    /// What follows the end: usage, metadata.
    Trailer,
}

impl Stage {
    /// Whether the answer has begun with this frame.
    #[must_use]
    pub const fn begins_answer(self) -> bool {
        matches!(self, Self::Content | Self::Finish)
    }
}

/// One piece of an answer. A plain answer is one frame; a streamed one is a frame an event.
pub trait Frame {
    /// How far along the answer this frame is.
    fn stage(&self) -> Stage;

    /// Roughly how many tokens this frame carries; for the pace floor and for estimates, never for a bill.
    fn tokens(&self) -> u32 {
        u32::from(matches!(self.stage(), Stage::Content))
    }

    /// What the whole answer took, in the frame where the upstream says so.
    fn token_usage(&self) -> Option<TokenUsage> {
        None
    }

    /// By which name the upstream knows this answer, where the frame tells it: the bill is looked up by it.
    fn generation_id(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Tokens of the prompt and the whole answer, in the frame where the upstream says so.
    fn used_tokens(&self) -> Option<u64> {
        self.token_usage().map(|usage| usage.total())
    }
}
