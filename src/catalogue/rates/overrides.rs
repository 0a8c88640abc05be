//! Prices under conditions: the length of the prompt, the time of day.

use tower_llm_layers::{UsdAmount, UtcTime};

use super::{NoRates, Rates, TokenRates, amount};
use openrouter_wire::catalogue::PriceOverride;

/// Prices under a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    /// Holds for prompts of more tokens.
    pub(super) above_prompt: Option<u64>,
    /// Holds in these minutes of the day, from and before.
    hours: Option<(u64, u64)>,
    /// Holds on these days of the week, a bit each from Sunday on.
    days: u8,
    /// Nothing says when it holds: it counts for the worst case alone.
    is_unknown: bool,
    pub(super) prompt: Option<UsdAmount>,
    pub(super) answer: Option<UsdAmount>,
    pub(super) audio: Option<UsdAmount>,
    pub(super) audio_cache: Option<UsdAmount>,
    pub(super) cache_read: Option<UsdAmount>,
    pub(super) cache_write: Option<UsdAmount>,
    pub(super) cache_write_1h: Option<UsdAmount>,
}

impl Rates {
    /// The rates that hold for a prompt of this length at this time. Of several overrides that hold, the later counts.
    pub(super) fn at(&self, prompt: u64, at: UtcTime) -> TokenRates {
        let minute = at.millis_of_day() / 60_000;
        let holding = self
            .overrides
            .iter()
            .filter(|over| over.holds(prompt, minute, weekday(at)));
        holding.fold(self.tokens, |rates, over| over.apply(rates))
    }
}

impl Override {
    pub(super) fn read(written: &PriceOverride) -> Result<Self, NoRates> {
        let hours = match (written.utc_start, written.utc_end) {
            (None, None) => None,
            (start, end) => Some((minutes(start.unwrap_or(0))?, minutes(end.unwrap_or(2400))?)),
        };
        Ok(Self {
            above_prompt: written.min_prompt_tokens,
            hours,
            days: written.days().unwrap_or_default(),
            is_unknown: written.has_unknown_condition(),
            prompt: amount(&written.prompt)?,
            answer: amount(&written.completion)?,
            audio: amount(&written.audio)?,
            audio_cache: amount(&written.input_audio_cache)?,
            cache_read: amount(&written.input_cache_read)?,
            cache_write: amount(&written.input_cache_write)?,
            cache_write_1h: amount(&written.input_cache_write_1h)?,
        })
    }

    fn holds(&self, prompt: u64, minute: u64, weekday: u64) -> bool {
        if self.is_unknown || self.days & (1 << weekday) == 0 {
            return false;
        }
        let long_enough = self.above_prompt.is_none_or(|limit| prompt > limit);
        let now = match self.hours {
            Some((start, end)) if start <= end => (start..end).contains(&minute),
            // Past midnight.
            Some((start, end)) => minute >= start || minute < end,
            None => true,
        };
        long_enough && now
    }

    fn apply(&self, rates: TokenRates) -> TokenRates {
        TokenRates {
            prompt: self.prompt.unwrap_or(rates.prompt),
            answer: self.answer.unwrap_or(rates.answer),
            audio: self.audio.or(rates.audio),
            audio_cache: self.audio_cache.or(rates.audio_cache),
            cache_read: self.cache_read.or(rates.cache_read),
            cache_write: self.cache_write.or(rates.cache_write),
            cache_write_1h: self.cache_write_1h.or(rates.cache_write_1h),
        }
    }
}

/// A time of day as a number HHMM.
fn minutes(time: u64) -> Result<u64, NoRates> {
    let (hour, minute) = (time / 100, time % 100);
    let known = hour < 24 && minute < 60 || (hour, minute) == (24, 0);
    known.then_some(hour * 60 + minute).ok_or(NoRates::Unknown)
}

/// The day of the week in UTC, from Sunday on.
const fn weekday(at: UtcTime) -> u64 {
    // 1970 began on a Thursday.
    (at.millis() / 86_400_000 + 4) % 7
}
