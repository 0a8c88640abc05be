//! The worst-case price of a request.

use tower_llm_layers::{MediaKinds, Needs, PriceCeiling, UsdAmount, WorstCasePrice};

use super::{PicturePrice, Rates, TokenRates, overrides::Override};

/// More than any budget has.
const ENDLESS: UsdAmount = UsdAmount::from_pico(i128::MAX);

/// The highest price of each kind of token, at any time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Worst {
    /// Text: plain, read from the cache or written to it.
    prompt: UsdAmount,
    /// Text written to the cache for longer than the shortest time.
    long_cache: UsdAmount,
    /// Sound, plain or from the cache.
    audio: UsdAmount,
    answer: UsdAmount,
    /// The cheapest there may be, by which the upstream compares with a ceiling.
    least_prompt: UsdAmount,
    least_answer: UsdAmount,
}

/// The highest prices so far, and the lowest of prompt and answer.
struct Range {
    high: TokenRates,
    low: TokenRates,
}

impl Range {
    fn widen(&mut self, over: &Override) {
        let Self { high, low } = self;
        *high = TokenRates {
            prompt: high.prompt.max(over.prompt.unwrap_or_default()),
            answer: high.answer.max(over.answer.unwrap_or_default()),
            audio: high.audio.max(over.audio),
            audio_cache: high.audio_cache.max(over.audio_cache),
            cache_read: high.cache_read.max(over.cache_read),
            cache_write: high.cache_write.max(over.cache_write),
            cache_write_1h: high.cache_write_1h.max(over.cache_write_1h),
        };
        low.prompt = low.prompt.min(over.prompt.unwrap_or(low.prompt));
        low.answer = low.answer.min(over.answer.unwrap_or(low.answer));
    }
}

impl Rates {
    /// Finds the highest prices for all lengths of prompts, in one pass over the overrides by length. An override counts as if it applied at some time
    /// of the day, and at another not.
    pub(super) fn find_worst(&mut self) {
        let mut by_length: Vec<&Override> = self.overrides.iter().collect();
        // Those for prompts of any length first.
        by_length.sort_by_key(|over| over.above_prompt);
        let mut range = Range {
            high: self.tokens,
            low: self.tokens,
        };
        let mut worst = self.worst_of(&range);
        let mut worst_above: Vec<(u64, Worst)> = Vec::new();
        for alike in by_length.chunk_by(|one, other| one.above_prompt == other.above_prompt) {
            for over in alike {
                range.widen(over);
            }
            match alike.first().and_then(|over| over.above_prompt) {
                None => worst = self.worst_of(&range),
                Some(limit) => worst_above.push((limit, self.worst_of(&range))),
            }
        }
        self.worst = worst;
        self.worst_above = worst_above.into_boxed_slice();
    }

    fn worst_of(&self, Range { high, low }: &Range) -> Worst {
        // If there is only one price for writing, it also applies to an hour.
        let write = if self.tokens.cache_write.is_some() {
            high.cache_write
        } else {
            high.cache_write.max(high.cache_write_1h)
        };
        let most = |prices: &[Option<UsdAmount>]| prices.iter().copied().flatten().max().unwrap_or_default();
        Worst {
            prompt: high.prompt.max(most(&[high.cache_read, write])),
            // A longer time than those that have a price, twelve hours say, costs no more than twice what the prompt does; an hour may cost more.
            long_cache: most(&[high.cache_write_1h, Some(high.prompt.saturating_add(high.prompt))]),
            audio: most(&[high.audio, high.audio_cache]),
            answer: high.answer.max(most(&[self.reasoning])),
            least_prompt: low.prompt,
            least_answer: low.answer,
        }
    }

    fn worst(&self, prompt: u64) -> &Worst {
        let above = self.worst_above.partition_point(|(limit, _)| prompt > *limit);
        let step = above.checked_sub(1).and_then(|last| self.worst_above.get(last));
        step.map_or(&self.worst, |(_, worst)| worst)
    }

    /// The most that a request with these needs can cost here; no answer is longest.
    pub(in super::super) fn worst_case(&self, needs: &Needs, searches: u64) -> WorstCasePrice {
        let worst = self.worst(needs.most_prompt_tokens.max(needs.prompt_tokens));
        let hears = needs.input.contains(MediaKinds::AUDIO) || needs.input.contains(MediaKinds::VIDEO);
        let mut prompt_token = worst.prompt;
        for (applies, price) in [
            (needs.long_cache, worst.long_cache),
            (hears, worst.audio),
            (needs.images > 0, self.image_token.unwrap_or_default()),
        ] {
            prompt_token = if applies { prompt_token.max(price) } else { prompt_token };
        }
        let mut answer_token = worst.answer;
        if needs.output.contains(MediaKinds::AUDIO) {
            answer_token = answer_token.max(self.answer_audio.unwrap_or_default());
        }
        let draws = needs.output.contains(MediaKinds::IMAGE);
        let mut whole_picture = UsdAmount::ZERO;
        match self.picture {
            PicturePrice::Token(price) if draws => answer_token = answer_token.max(price),
            PicturePrice::Whole(price) => whole_picture = price,
            PicturePrice::Token(_) | PicturePrice::AsText => {}
        }
        let pictures = if draws { needs.choices.max(1) } else { 0 };
        let mut fixed = self.request;
        for (price, count) in [
            (self.image, needs.images),
            (whole_picture, pictures),
            (self.highest_search, searches),
        ] {
            // Mostly there are none, and this multiplication is slow.
            if count > 0 {
                fixed = fixed.saturating_add(price.checked_mul(count).unwrap_or(ENDLESS));
            }
        }
        WorstCasePrice::new()
            .fixed(fixed)
            .prompt_token(prompt_token)
            .answer_token(answer_token)
    }

    /// Whether the upstream skips an endpoint with these prices. If they vary by the hour, the cheapest decides.
    pub(in super::super) fn is_above(&self, ceiling: &PriceCeiling, needs: &Needs) -> bool {
        if *ceiling == PriceCeiling::default() {
            return false;
        }
        let worst = self.worst(needs.most_prompt_tokens.max(needs.prompt_tokens));
        let image = if needs.images > 0 { self.image } else { UsdAmount::ZERO };
        let pairs = [
            (worst.least_prompt, ceiling.prompt_token),
            (worst.least_answer, ceiling.answer_token),
            (self.request, ceiling.request),
            (image, ceiling.image),
        ];
        pairs
            .into_iter()
            .any(|(price, most)| most.is_some_and(|most| price > most))
    }
}
