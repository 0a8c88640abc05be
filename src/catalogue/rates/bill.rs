//! What a usage costs.

use tower_llm_layers::{TokenUsage, UsdAmount, UtcTime};

use super::{PicturePrice, Rates};

impl Rates {
    /// What this usage costs, rounded up; `None` if it overflows. Each token is paid once: counts of parts that exceed
    /// the whole are capped by it.
    pub(in super::super) fn cost(&self, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount> {
        let rates = self.at(usage.prompt, at);
        let cached = usage.cached.min(usage.prompt);
        let written = usage.cache_written.min(usage.prompt - cached);
        let for_an_hour = usage.cache_written_1h.min(written);
        let plain = usage.prompt - cached - written;
        // The usage does not say which sound was read from the cache: it is assumed to be that which cannot have come otherwise.
        let audio = usage.audio.min(plain);
        let cached_audio = (usage.audio - audio).min(cached);
        let images = usage.images.min(plain - audio);
        let reasoning = usage.reasoning.min(usage.answer);
        let answer_audio = usage.answer_audio.min(usage.answer - reasoning);
        let answer_images = usage.answer_images.min(usage.answer - reasoning - answer_audio);
        let (picture_token, whole_pictures) = match self.picture {
            PicturePrice::Token(price) => (price, UsdAmount::ZERO),
            // The usage does not say how many there are: one at least.
            PicturePrice::Whole(price) if answer_images > 0 => (rates.answer, price),
            PicturePrice::Whole(_) | PicturePrice::AsText => (rates.answer, UsdAmount::ZERO),
        };
        let cache_read = rates.cache_read.unwrap_or(rates.prompt);
        let parts = [
            (plain - audio - images, rates.prompt),
            (images, self.image_token.unwrap_or(rates.prompt)),
            (audio, rates.audio.unwrap_or(rates.prompt)),
            (cached - cached_audio, cache_read),
            (cached_audio, rates.audio_cache.unwrap_or(cache_read)),
            (
                written - for_an_hour,
                rates.cache_write.or(rates.cache_write_1h).unwrap_or(rates.prompt),
            ),
            (
                for_an_hour,
                rates.cache_write_1h.or(rates.cache_write).unwrap_or(rates.prompt),
            ),
            (usage.answer - reasoning - answer_audio - answer_images, rates.answer),
            (reasoning, self.reasoning.unwrap_or(rates.answer)),
            (answer_audio, self.answer_audio.unwrap_or(rates.answer)),
            (answer_images, picture_token),
            (1, whole_pictures),
            (usage.image_count, self.image),
            (usage.searches, self.search),
            (1, self.request),
        ];
        parts.into_iter().try_fold(UsdAmount::ZERO, |sum, (count, price)| {
            sum.checked_add(price.checked_mul(count).ok()?).ok()
        })
    }
}
