//! What is believed of an upstream's counts, and what stands for the rest: one rule for money and for limits on tokens.

use crate::{MediaKinds, Needs, TokenUsage};

/// The largest factor by which the estimate of a prompt may exceed the truth. The estimate is a quarter of the bytes; no tokenizer in use
/// packs 32 bytes of ordinary text into one token.
const PROMPT_ESTIMATE_FACTOR: u64 = 8;

/// What models make of a picture of ordinary size: from some 250 tokens to some 1 600.
const PICTURE_TOKENS: u64 = 1_000;

/// What is not text and no picture is taken for one short piece of its kind: a document of a page or two, half a minute of sound, a quarter of a
/// minute of film.
const OTHER_MEDIA_TOKENS: [(MediaKinds, u64); 3] = [
    (MediaKinds::FILE, 2_000),
    (MediaKinds::AUDIO, 1_000),
    (MediaKinds::VIDEO, 4_000),
];

/// Tokens of a prompt, roughly, as far as they can be known before an upstream has counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PromptEstimate {
    text: u64,
    media: u64,
}

impl PromptEstimate {
    pub(crate) fn of(needs: &Needs) -> Self {
        let others = OTHER_MEDIA_TOKENS
            .iter()
            .filter(|(kind, _)| needs.input.contains(*kind));
        let media = others.fold(needs.images.saturating_mul(PICTURE_TOKENS), |sum, (_, tokens)| {
            sum.saturating_add(*tokens)
        });
        Self {
            text: needs.prompt_tokens,
            media,
        }
    }

    /// Text and media together.
    pub(crate) const fn tokens(self) -> u64 {
        self.text.saturating_add(self.media)
    }

    /// Whether a prompt with this estimate can have so many tokens. A picture may have next to none.
    pub(crate) const fn admits(self, reported: u64) -> bool {
        reported > 0 && reported >= self.text / PROMPT_ESTIMATE_FACTOR
    }

    /// The tokens to count if an upstream reports so many.
    pub(crate) fn counted(self, reported: u64) -> u64 {
        if self.admits(reported) {
            reported
        } else {
            self.tokens().max(reported)
        }
    }
}

/// Tokens of an answer that were seen, roughly: rather fewer than the model wrote.
///
/// A frame counts one token at least. That rounds up the short frames, so that the sum over all would exceed the truth of a server that sends each
/// token by itself, as most do: a long word is two tokens by its length, and a short one is none. The number of frames is one count that
/// does not, and the length of the long frames is another.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ShownTokens {
    frames: u64,
    /// Frames of more than one token, and their tokens.
    long: u64,
    in_long: u64,
}

impl ShownTokens {
    pub(crate) fn add(&mut self, tokens: u32) {
        self.frames = self.frames.saturating_add(u64::from(tokens > 0));
        if tokens > 1 {
            self.long = self.long.saturating_add(1);
            self.in_long = self.in_long.saturating_add(u64::from(tokens));
        }
    }

    /// Whether anything was seen.
    #[cfg(feature = "cost")]
    pub(crate) const fn is_any(self) -> bool {
        self.frames > 0
    }

    fn count(self) -> u64 {
        let short = self.frames.saturating_sub(self.long);
        self.frames.max(self.in_long.saturating_add(short / 2))
    }

    /// The tokens of the answer to count if an upstream reports these: never fewer than were seen.
    pub(crate) fn counted(self, reported: &TokenUsage) -> u64 {
        reported.answer.max(reported.reasoning).max(self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(frames: &[u32]) -> u64 {
        let mut shown = ShownTokens::default();
        frames.iter().for_each(|tokens| shown.add(*tokens));
        shown.count()
    }

    #[test]
    fn a_server_that_sends_each_token_by_itself_is_not_counted_above_its_tokens() {
        // Of a hundred tokens seven are long words.
        let mut frames = vec![1; 93];
        frames.extend([2; 7]);
        assert_eq!(shown(&frames), 100);
        assert_eq!(shown(&[700]), 700);
        assert_eq!(shown(&[30, 30, 1, 0, 0]), 60);
        assert_eq!(shown(&[0, 0]), 0);
    }

    #[test]
    fn media_are_part_of_an_estimate_and_doubt_no_count() {
        let mut needs = Needs::of_prompt(80, 320);
        (needs.images, needs.input) = (2, MediaKinds::IMAGE.with(MediaKinds::FILE));
        let prompt = PromptEstimate::of(&needs);
        assert_eq!(prompt.tokens(), 80 + 2_000 + 2_000);
        assert_eq!(prompt.counted(0), 4_080);
        assert_eq!(prompt.counted(9), 4_080, "less than its text has");
        assert_eq!(prompt.counted(10), 10);
        assert_eq!(prompt.counted(9_000), 9_000);
        assert_eq!(PromptEstimate::of(&Needs::of_prompt(80, 320)).counted(0), 80);
    }
}
