//! What an answer took, and what was charged for it.

use crate::UsdAmount;

/// More tokens than any one answer takes: a thousand times the largest context.
pub(crate) const MOST_TOKENS: u64 = 1 << 32;

/// More than any one answer costs: a hundred thousand dollars.
const MOST_CHARGE: UsdAmount = UsdAmount::from_pico(100_000_000_000_000_000);

/// At what prices an answer was served, as the upstream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum PriceTier {
    /// At the listed prices.
    #[default]
    Standard,
    /// Below them: flex, batch.
    Cheaper,
    /// Above them: priority, fast.
    Priority,
}

/// What an upstream says an answer took, in tokens of the model's own tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TokenUsage {
    /// Tokens of the prompt, all of them.
    pub prompt: u64,
    /// Of these, read from the upstream's cache.
    pub cached: u64,
    /// Of these, written to it.
    pub cache_written: u64,
    /// Of the written ones, those that stay for an hour.
    pub cache_written_1h: u64,
    /// Of the prompt, of sound.
    pub audio: u64,
    /// Of the prompt, of pictures.
    pub images: u64,
    /// How many pictures the prompt holds that may be charged one by one. No upstream reports it: it is zero unless the prompt is an estimate.
    pub image_count: u64,
    /// Tokens of the answer, reasoning included.
    pub answer: u64,
    /// Of these, reasoning.
    pub reasoning: u64,
    /// Of the answer, of sound.
    pub answer_audio: u64,
    /// Of the answer, of pictures.
    pub answer_images: u64,
    /// At what prices it was served.
    pub tier: PriceTier,
    /// Searches of the web made for it.
    pub searches: u64,
    /// What was charged, if the upstream reports it.
    pub charged: Option<UsdAmount>,
    /// What the provider behind the router charged in addition, if the account has its own key at the provider.
    pub charged_upstream: Option<UsdAmount>,
}

impl TokenUsage {
    /// So many tokens of prompt and answer, and nothing else.
    #[must_use]
    pub fn new(prompt: u64, answer: u64) -> Self {
        Self {
            prompt,
            answer,
            ..Self::default()
        }
    }

    /// This report after an earlier one of the same answer. Of each figure the later one counts; one that it does not have stays as it was.
    pub(crate) fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier else { return self };
        let is_reported = |usage: &Self| usage.bill().is_some_and(|bill| bill > UsdAmount::ZERO);
        // A charge of zero is a figure that is not there yet, or not any more.
        let is_later = is_reported(&self) || (self.bill().is_some() && !is_reported(&earlier));
        let charges = if is_later { self } else { earlier };
        let of = |later: u64, earlier: u64| if later == 0 { earlier } else { later };
        Self {
            prompt: of(self.prompt, earlier.prompt),
            cached: of(self.cached, earlier.cached),
            cache_written: of(self.cache_written, earlier.cache_written),
            cache_written_1h: of(self.cache_written_1h, earlier.cache_written_1h),
            audio: of(self.audio, earlier.audio),
            images: of(self.images, earlier.images),
            image_count: of(self.image_count, earlier.image_count),
            answer: of(self.answer, earlier.answer),
            reasoning: of(self.reasoning, earlier.reasoning),
            answer_audio: of(self.answer_audio, earlier.answer_audio),
            answer_images: of(self.answer_images, earlier.answer_images),
            tier: if self.tier == PriceTier::Standard {
                earlier.tier
            } else {
                self.tier
            },
            searches: of(self.searches, earlier.searches),
            charged: charges.charged,
            charged_upstream: charges.charged_upstream,
        }
    }

    /// The bill: what was charged, plus what the provider charged if the account has its own key there.
    #[must_use]
    pub fn bill(&self) -> Option<UsdAmount> {
        match (self.charged, self.charged_upstream) {
            (Some(charged), Some(upstream)) => Some(charged.saturating_add(upstream)),
            (charged, upstream) => charged.or(upstream),
        }
    }

    /// What of it can be true of one answer, and whether that is all of it. Counts and charges that no answer can have come from servers that
    /// overflow, write NaN as a number, or count in other units: nothing is settled by them.
    pub(crate) fn plausible(self) -> (Self, bool) {
        let counts = [
            self.prompt,
            self.cached,
            self.cache_written,
            self.cache_written_1h,
            self.audio,
            self.images,
            self.image_count,
            self.answer,
            self.reasoning,
            self.answer_audio,
            self.answer_images,
            self.searches,
        ];
        let can_be = |charge: &UsdAmount| !charge.is_negative() && *charge <= MOST_CHARGE;
        let charged = self.charged.filter(can_be);
        let charged_upstream = self.charged_upstream.filter(can_be);
        let has_charges = charged == self.charged && charged_upstream == self.charged_upstream;
        let has_counts = counts.iter().all(|count| *count <= MOST_TOKENS);
        let counted = if has_counts { self } else { Self::default() };
        // Of two charges neither is the bill alone.
        let (charged, charged_upstream) = if has_charges {
            (charged, charged_upstream)
        } else {
            (None, None)
        };
        let usage = Self {
            charged,
            charged_upstream,
            ..counted
        };
        (usage, has_counts && has_charges)
    }

    /// Prompt and answer together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.prompt.saturating_add(self.answer)
    }
}
