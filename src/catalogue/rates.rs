//! Prices of one model or endpoint as whole pico-dollars, read once.

use tower_llm_layers::{TokenUsage, UsdAmount, UsdError, UtcTime};

use crate::response::{Price, PriceOverride, Pricing};

/// What each unit costs. What is not there costs nothing of its own, or what its kind costs otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Rates {
    pub(super) tokens: TokenRates,
    pub(super) request: UsdAmount,
    pub(super) image: UsdAmount,
    pub(super) search: UsdAmount,
    pub(super) reasoning: Option<UsdAmount>,
    pub(super) overrides: Vec<Override>,
}

/// The prices that an override can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TokenRates {
    pub(super) prompt: UsdAmount,
    pub(super) answer: UsdAmount,
    pub(super) audio: Option<UsdAmount>,
    pub(super) cache_read: Option<UsdAmount>,
    pub(super) cache_write: Option<UsdAmount>,
    pub(super) cache_write_1h: Option<UsdAmount>,
}

/// Prices under a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Override {
    above_prompt: Option<u64>,
    /// Minutes of the day, from and before.
    hours: Option<(u64, u64)>,
    prompt: Option<UsdAmount>,
    answer: Option<UsdAmount>,
    audio: Option<UsdAmount>,
    cache_read: Option<UsdAmount>,
    cache_write: Option<UsdAmount>,
    cache_write_1h: Option<UsdAmount>,
}

/// Why there are no rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRates {
    /// They vary.
    Varies,
    /// There are none, or one of them is no amount.
    Unknown,
}

impl From<UsdError> for NoRates {
    fn from(_: UsdError) -> Self {
        Self::Unknown
    }
}

impl Rates {
    pub(super) fn read(pricing: &Pricing) -> Result<Self, NoRates> {
        let tokens = TokenRates {
            prompt: amount(pricing.prompt.as_ref())?.ok_or(NoRates::Unknown)?,
            answer: amount(pricing.completion.as_ref())?.ok_or(NoRates::Unknown)?,
            audio: amount(pricing.audio.as_ref())?,
            cache_read: amount(pricing.input_cache_read.as_ref())?,
            cache_write: amount(pricing.input_cache_write.as_ref())?,
            cache_write_1h: amount(pricing.input_cache_write_1h.as_ref())?,
        };
        let or_nothing = |price: &Option<Price>| Ok::<_, NoRates>(amount(price.as_ref())?.unwrap_or(UsdAmount::ZERO));
        Ok(Self {
            tokens,
            request: or_nothing(&pricing.request)?,
            image: or_nothing(&pricing.image)?,
            search: or_nothing(&pricing.web_search)?,
            // A zero stands for "as any token of the answer".
            reasoning: amount(pricing.internal_reasoning.as_ref())?.filter(|price| *price > UsdAmount::ZERO),
            overrides: pricing.overrides.iter().map(Override::read).collect::<Result<_, _>>()?,
        })
    }

    /// What this usage costs, rounded up; `None` where it is too much to hold.
    pub(super) fn cost(&self, usage: &TokenUsage, at: UtcTime) -> Option<UsdAmount> {
        let rates = self.at(usage.prompt, at);
        let cached = usage.cached.min(usage.prompt);
        let written = usage.cache_written.min(usage.prompt - cached);
        let plain = usage.prompt - cached - written;
        // Sound has its own price only where it was neither read from the cache nor written to it.
        let audio = if rates.audio.is_some() {
            usage.audio.min(plain)
        } else {
            0
        };
        let reasoning = usage.reasoning.min(usage.answer);
        let parts = [
            (plain - audio, rates.prompt),
            (audio, rates.audio.unwrap_or(rates.prompt)),
            (cached, rates.cache_read.unwrap_or(rates.prompt)),
            (
                written,
                rates.cache_write.or(rates.cache_write_1h).unwrap_or(rates.prompt),
            ),
            (usage.answer - reasoning, rates.answer),
            (reasoning, self.reasoning.unwrap_or(rates.answer)),
            (usage.searches, self.search),
            (1, self.request),
        ];
        parts.into_iter().try_fold(UsdAmount::ZERO, |sum, (count, price)| {
            sum.checked_add(price.checked_mul(count).ok()?).ok()
        })
    }

    /// The rates that hold for a prompt of this length at this time. Of several overrides that hold, the later counts.
    fn at(&self, prompt: u64, at: UtcTime) -> TokenRates {
        let minute = at.millis_of_day() / 60_000;
        let holding = self.overrides.iter().filter(|over| over.holds(prompt, Some(minute)));
        holding.fold(self.tokens, |rates, over| over.apply(rates))
    }

    /// The dearest way a token of a prompt up to this length, and one of its answer, can be billed at any time of day.
    pub(super) fn dearest(&self, prompt: u64) -> (UsdAmount, UsdAmount) {
        let holding = self.overrides.iter().filter(|over| over.holds(prompt, None));
        // Each may hold with or without those before it.
        let all = holding.fold(vec![self.tokens], |mut all, over| {
            if all.len() <= MOST_COMBINED {
                all.extend(all.clone().into_iter().map(|rates| over.apply(rates)));
            } else {
                all.push(over.dearer(&all));
            }
            all
        });
        let prompt = all.iter().map(TokenRates::dearest_prompt).max().unwrap_or_default();
        let answer = all.iter().map(|rates| rates.answer).max().unwrap_or_default();
        (prompt, self.reasoning.map_or(answer, |reasoning| answer.max(reasoning)))
    }
}

/// Overrides are combined one by one up to this many sets of rates; past them each price is taken at its dearest.
const MOST_COMBINED: usize = 64;

impl TokenRates {
    fn dearest_prompt(&self) -> UsdAmount {
        let others = [self.audio, self.cache_read, self.cache_write, self.cache_write_1h];
        others.into_iter().flatten().fold(self.prompt, UsdAmount::max)
    }
}

impl Override {
    fn read(written: &PriceOverride) -> Result<Self, NoRates> {
        let hours = match (written.utc_start, written.utc_end) {
            (None, None) => None,
            (start, end) => Some((minutes(start.unwrap_or(0))?, minutes(end.unwrap_or(2400))?)),
        };
        Ok(Self {
            above_prompt: written.min_prompt_tokens,
            hours,
            prompt: amount(written.prompt.as_ref())?,
            answer: amount(written.completion.as_ref())?,
            audio: amount(written.audio.as_ref())?,
            cache_read: amount(written.input_cache_read.as_ref())?,
            cache_write: amount(written.input_cache_write.as_ref())?,
            cache_write_1h: amount(written.input_cache_write_1h.as_ref())?,
        })
    }

    /// Without a minute: whether it may hold at some time of day.
    fn holds(&self, prompt: u64, minute: Option<u64>) -> bool {
        let long_enough = self.above_prompt.is_none_or(|limit| prompt > limit);
        let now = match (self.hours, minute) {
            (Some((start, end)), Some(minute)) if start <= end => (start..end).contains(&minute),
            // Past midnight.
            (Some((start, end)), Some(minute)) => minute >= start || minute < end,
            (None, _) | (_, None) => true,
        };
        long_enough && now
    }

    fn apply(&self, rates: TokenRates) -> TokenRates {
        TokenRates {
            prompt: self.prompt.unwrap_or(rates.prompt),
            answer: self.answer.unwrap_or(rates.answer),
            audio: self.audio.or(rates.audio),
            cache_read: self.cache_read.or(rates.cache_read),
            cache_write: self.cache_write.or(rates.cache_write),
            cache_write_1h: self.cache_write_1h.or(rates.cache_write_1h),
        }
    }

    /// The dearest of each price, with this override or without.
    fn dearer(&self, all: &[TokenRates]) -> TokenRates {
        let prompt = all.iter().map(TokenRates::dearest_prompt).max().unwrap_or_default();
        let answer = all.iter().map(|rates| rates.answer).max().unwrap_or_default();
        let own = self.apply(TokenRates::default());
        TokenRates {
            prompt: prompt.max(own.dearest_prompt()),
            answer: answer.max(own.answer),
            ..TokenRates::default()
        }
    }
}

fn amount(price: Option<&Price>) -> Result<Option<UsdAmount>, NoRates> {
    price.map(|price| price.to_usd()?.ok_or(NoRates::Varies)).transpose()
}

/// A time of day as a number HHMM.
fn minutes(time: u64) -> Result<u64, NoRates> {
    let (hour, minute) = (time / 100, time % 100);
    let known = hour < 24 && minute < 60 || (hour, minute) == (24, 0);
    known.then_some(hour * 60 + minute).ok_or(NoRates::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(pricing: &str) -> Result<Rates, NoRates> {
        Rates::read(&serde_json::from_str(pricing).unwrap())
    }

    fn usage(prompt: u64, answer: u64) -> TokenUsage {
        let mut usage = TokenUsage::default();
        (usage.prompt, usage.answer) = (prompt, answer);
        usage
    }

    fn cost(rates: &Rates, usage: &TokenUsage, time: u64) -> String {
        let minute = time / 100 * 60 + time % 100;
        rates
            .cost(usage, UtcTime::from_millis(minute * 60_000))
            .unwrap()
            .to_string()
    }

    #[test]
    fn each_token_is_paid_once() {
        let rates = rates(
            r#"{"prompt":"0.000003","completion":"0.000015","input_cache_read":"0.0000003","input_cache_write":"0.00000375",
                "internal_reasoning":"0.00002","request":"0.01","web_search":"0.005"}"#,
        )
        .unwrap();
        let mut all = usage(1000, 100);
        (all.cached, all.cache_written, all.reasoning, all.searches) = (600, 300, 40, 2);
        // 100 × 3 + 600 × 0.3 + 300 × 3.75 + 60 × 15 + 40 × 20 millionths, a cent for the request, a cent for searches.
        assert_eq!(cost(&rates, &all, 0), "$0.023305");
        // What a broken count says beyond the whole is not paid.
        (all.cached, all.cache_written, all.reasoning) = (5000, 5000, 5000);
        assert_eq!(cost(&rates, &all, 0), "$0.0223");
        assert_eq!(
            rates.dearest(1),
            ("0.00000375".parse().unwrap(), "0.00002".parse().unwrap())
        );
    }

    #[test]
    fn a_reasoning_price_of_zero_is_that_of_the_answer() {
        let rates = rates(r#"{"prompt":"0","completion":"0.00001","internal_reasoning":"0"}"#).unwrap();
        let mut thought = usage(0, 10);
        thought.reasoning = 10;
        assert_eq!(cost(&rates, &thought, 0), "$0.0001");
    }

    #[test]
    fn overrides_hold_by_length_and_time_of_day() {
        let rates = rates(
            r#"{"prompt":"0.000001","completion":"0.000002","overrides":[
                {"min_prompt_tokens":1000,"prompt":"0.000003"},
                {"utc_start":2200,"utc_end":600,"completion":"0.000001"}]}"#,
        )
        .unwrap();
        assert_eq!(cost(&rates, &usage(1000, 1000), 1200), "$0.003");
        assert_eq!(cost(&rates, &usage(1001, 1000), 1200), "$0.005003");
        for night in [2200, 2359, 0, 559] {
            assert_eq!(cost(&rates, &usage(1000, 1000), night), "$0.002", "{night}");
        }
        assert_eq!(cost(&rates, &usage(1000, 1000), 600), "$0.003");
        let million = |text: &str| text.parse::<UsdAmount>().unwrap();
        assert_eq!(rates.dearest(1000), (million("0.000001"), million("0.000002")));
        assert_eq!(rates.dearest(1001), (million("0.000003"), million("0.000002")));
    }

    #[test]
    fn what_is_no_price_is_unknown_and_never_nothing() {
        assert_eq!(rates(r#"{"prompt":"-1","completion":"-1"}"#), Err(NoRates::Varies));
        assert_eq!(rates(r#"{"completion":"1"}"#), Err(NoRates::Unknown));
        assert_eq!(rates(r#"{"prompt":"1","completion":"1e99"}"#), Err(NoRates::Unknown));
        let odd = r#"{"prompt":"1","completion":"1","overrides":[{"utc_start":2560,"prompt":"2"}]}"#;
        assert_eq!(rates(odd), Err(NoRates::Unknown));
        let fine = rates(r#"{"prompt":"0.0000000000001","completion":"0"}"#).unwrap();
        assert_eq!(fine.tokens.prompt, UsdAmount::from_pico(1), "rounded up");
        let most = usage(u64::MAX, u64::MAX);
        assert!(fine.cost(&most, UtcTime::from_millis(0)).is_some());
        let dear = rates(r#"{"prompt":"1e20","completion":"0"}"#).unwrap();
        assert_eq!(dear.cost(&most, UtcTime::from_millis(0)), None);
    }
}
