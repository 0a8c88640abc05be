//! Prices of one model or endpoint as whole pico-dollars, read once.

mod bill;
mod overrides;
#[cfg(test)]
mod tests;
mod worst;

use tower_llm_layers::{UsdAmount, UsdError};

use self::{overrides::Override, worst::Worst};
use crate::response::ToUsd as _;
use openrouter_wire::catalogue::{Price, Pricing};

/// What each unit costs. What is not there costs nothing of its own, or what its kind costs otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rates {
    tokens: TokenRates,
    image_token: Option<UsdAmount>,
    reasoning: Option<UsdAmount>,
    answer_audio: Option<UsdAmount>,
    request: UsdAmount,
    image: UsdAmount,
    picture: PicturePrice,
    search: UsdAmount,
    /// Of the most expensive engine.
    highest_search: UsdAmount,
    overrides: Box<[Override]>,
    /// The highest prices of the shortest prompts.
    worst: Worst,
    /// The same for prompts of more tokens than this, in order.
    worst_above: Box<[(u64, Worst)]>,
}

/// What a picture in the answer costs: the catalogue gives both by one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum PicturePrice {
    /// What a token of text costs.
    #[default]
    AsText,
    /// So much for each token of it.
    Token(UsdAmount),
    /// So much for all of it.
    Whole(UsdAmount),
}

impl PicturePrice {
    /// The lowest price that is one of a whole picture. A token of one costs a hundredth of this at most, and it has hundreds of them.
    const LEAST_WHOLE: UsdAmount = UsdAmount::from_pico(1_000_000_000);

    fn of(price: Option<UsdAmount>) -> Self {
        match price {
            Some(price) if price >= Self::LEAST_WHOLE => Self::Whole(price),
            Some(price) => Self::Token(price),
            None => Self::AsText,
        }
    }
}

/// The prices that an override can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct TokenRates {
    prompt: UsdAmount,
    answer: UsdAmount,
    audio: Option<UsdAmount>,
    audio_cache: Option<UsdAmount>,
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
    /// Reads prices. `plugin` is the price of a search by OpenRouter's plugin; zero if there is none.
    pub(super) fn read(pricing: &Pricing, plugin: UsdAmount) -> Result<Self, NoRates> {
        let tokens = TokenRates {
            prompt: amount(&pricing.prompt)?.ok_or(NoRates::Unknown)?,
            answer: amount(&pricing.completion)?.ok_or(NoRates::Unknown)?,
            audio: amount(&pricing.audio)?,
            audio_cache: amount(&pricing.input_audio_cache)?,
            cache_read: amount(&pricing.input_cache_read)?,
            cache_write: amount(&pricing.input_cache_write)?,
            cache_write_1h: amount(&pricing.input_cache_write_1h)?,
        };
        let or_nothing = |price: &Option<Price>| Ok::<_, NoRates>(amount(price)?.unwrap_or(UsdAmount::ZERO));
        let search = amount(&pricing.web_search)?;
        let mut rates = Self {
            tokens,
            image_token: amount(&pricing.image_token)?,
            // A zero stands for "as any token of the answer".
            reasoning: amount(&pricing.internal_reasoning)?.filter(|price| *price > UsdAmount::ZERO),
            answer_audio: amount(&pricing.audio_output)?,
            request: or_nothing(&pricing.request)?,
            image: or_nothing(&pricing.image)?,
            picture: PicturePrice::of(amount(&pricing.image_output)?),
            search: search.unwrap_or(plugin),
            highest_search: search.unwrap_or(plugin).max(plugin),
            overrides: pricing.overrides.iter().map(Override::read).collect::<Result<_, _>>()?,
            worst: Worst::default(),
            worst_above: Box::default(),
        };
        rates.find_worst();
        Ok(rates)
    }

    /// Whether a picture in the answer has a price of its own.
    pub(super) fn has_picture_price(&self) -> bool {
        self.picture != PicturePrice::AsText
    }
}

fn amount(price: &Option<Price>) -> Result<Option<UsdAmount>, NoRates> {
    let amount = |price: &Price| price.to_usd()?.ok_or(NoRates::Varies);
    price.as_ref().map(amount).transpose()
}
