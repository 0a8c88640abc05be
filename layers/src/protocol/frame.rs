//! What a layer needs of one piece of an answer.

use std::borrow::Cow;

use super::{Block, Splice};
use crate::{RouterAttempt, TokenUsage};

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

/// What a frame adds to what the caller sees.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shown<'a> {
    /// Nothing, or nothing but the end of the answer.
    Nothing,
    /// Text of the answer, and nothing else.
    Text(Cow<'a, str>),
    /// The model's thoughts.
    Reasoning,
    /// Anything else: a tool call, a refusal, a picture. No text can continue it.
    Other,
    /// An answer from its beginning, or all of it. No text can continue it, and it continues none.
    Whole,
}

/// Whether the answer says with this frame that it has ended.
pub(crate) fn is_end<D: Frame>(frame: &D) -> bool {
    frame.stage() == Stage::Finish || frame.finishes_answer()
}

/// Whether an answer that ends for this reason is not all that the model had to say.
fn names_a_cut(reason: &str) -> bool {
    const REASONS: [&str; 5] = [
        "length",
        "max_tokens",
        "max_output_tokens",
        "content_filter",
        "model_context_window_exceeded",
    ];
    REASONS.iter().any(|known| reason.eq_ignore_ascii_case(known))
}

/// A frame that has a byte form: for a cache whose [store](crate::cache::CacheStore) is outside of this process.
#[cfg(feature = "cache")]
pub trait StorableFrame: Frame + Sized {
    /// Writes the frame as it is to be read by [`from_bytes`](Self::from_bytes), also by an earlier or a later version of the program.
    fn write_bytes(&self, out: &mut Vec<u8>);

    /// The frame of these bytes; `None` if they are none, and the response is not found.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// One piece of an answer. A plain answer is one frame; a streamed one is a frame an event.
pub trait Frame {
    /// How far along the answer this frame is.
    fn stage(&self) -> Stage;

    /// Roughly how many tokens this frame carries: for the minimum throughput and for estimates, never for a billed cost.
    fn tokens(&self) -> u32 {
        u32::from(matches!(self.stage(), Stage::Content))
    }

    /// The usage of the whole answer, in the frame that reports it.
    fn token_usage(&self) -> Option<TokenUsage> {
        None
    }

    /// What this frame adds to what the caller sees: it decides whether an interrupted stream can be resumed.
    fn shown(&self) -> Shown<'_> {
        match self.stage() {
            Stage::Content => Shown::Other,
            Stage::KeepAlive | Stage::Preamble | Stage::Finish | Stage::Trailer => Shown::Nothing,
        }
    }

    /// The same frame with this text. Needed if [`shown`](Self::shown) returns [`Text`](Shown::Text): the first words of a
    /// continuation may have been shown already.
    #[must_use]
    fn with_text(self, _text: &str) -> Self
    where
        Self: Sized,
    {
        self
    }

    /// Where this frame stands, if answers of its API are made of numbered blocks; `None` if they are not, or if it belongs to none of
    /// them. [`ResumeLayer`](crate::resume::ResumeLayer) numbers the blocks of a continuation by it.
    fn block(&self) -> Option<Block> {
        None
    }

    /// This frame of a continuation as one of the answer that it continues; `None` if it cannot be made one, and the continuation is not
    /// joined. Needed if [`block`](Self::block) is implemented.
    #[must_use]
    fn spliced(&self, _splice: Splice) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// The upstream's id of this answer, if the frame has it: the bill is looked up by it.
    fn generation_id(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Which model answers, if the frame says so. Read from the first frame and the last.
    fn model(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Which provider behind the upstream serves the answer, if the upstream is a router and the frame names it. Read from the frame with
    /// which the answer begins, and from those before it.
    fn provider(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// What a router tried by itself for this answer, if the frame says so. Read from the last frames.
    fn router_attempts(&self) -> Vec<RouterAttempt> {
        Vec::new()
    }

    /// Why the answer ended, in the upstream's word, e.g. `stop`, if the frame says so. Read from frames that may end an answer.
    fn finish_reason(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Whether the answer ends with this frame, and ends well: only then may it be kept and given to others. A frame that has content
    /// and says that it was the last must say so here; one that says the answer was filtered must not.
    fn finishes_answer(&self) -> bool {
        self.stage() == Stage::Finish
    }

    /// Whether nothing follows this frame, neither usage nor an error: the last event of an API whose streams have one. A caller may leave behind
    /// it, so a cached answer, or one with an idempotency key, is kept before it is shown, and not at the end of the connection. Only frames from
    /// the one on that [finishes](Self::finishes_answer) the answer are looked at.
    fn is_last(&self) -> bool {
        false
    }

    /// Whether the answer ends with this frame at a limit or in a filter: it is not all that the model had to say, and is not cached. By default
    /// the [`finish_reason`](Self::finish_reason) decides; override it if the upstream has other words for that.
    fn is_cut_short(&self) -> bool {
        self.finish_reason().is_some_and(|reason| names_a_cut(&reason))
    }

    /// How much memory this frame holds, in bytes, to bound the cache. Override it if a frame points at bytes elsewhere.
    fn size_in_bytes(&self) -> usize {
        size_of_val(self)
    }

    /// This frame as it is cached and later replayed to another caller. A replay is not charged: set its usage and cost to
    /// zero, and leave the rest unchanged. It should hold no memory but its own; it is made once, when the answer is cached.
    #[must_use]
    fn replayed(&self) -> Self
    where
        Self: Clone,
    {
        self.clone()
    }

    /// This frame as it is kept to be given again byte for byte, under an idempotency key. It should hold no memory but its own.
    #[must_use]
    fn kept(&self) -> Self
    where
        Self: Clone,
    {
        self.clone()
    }

    /// Tokens of the prompt and the whole answer, in the frame that reports them.
    fn used_tokens(&self) -> Option<u64> {
        self.token_usage().map(|usage| usage.total())
    }
}
