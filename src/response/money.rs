//! Amounts on the wire as amounts of money: the one place where decimal text becomes dollars.

use openrouter_wire::{
    Decimal,
    catalogue::Price,
    usage::{ServedTier, Usage, UsageCounts, usage_counts},
};
use tower_llm_layers::{PriceTier, TokenUsage, UsdAmount, UsdError};

use crate::sealed::Sealed;

/// An amount on the wire, in US dollars.
///
/// Sealed: implemented here for all types that fit; nothing to implement.
///
/// ```
/// use tower_openrouter::response::{Decimal, ToUsd};
///
/// let price: Decimal = "0.00000765".parse()?;
/// assert_eq!(price.to_usd()?.pico(), 7_650_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ToUsd: Sealed {
    /// What it is an amount of: one that may vary is optional.
    type Amount;

    /// The amount, rounded up to a whole pico-dollar.
    ///
    /// # Errors
    ///
    /// If it is too large, or cannot be read.
    fn to_usd(&self) -> Result<Self::Amount, UsdError>;
}

impl Sealed for Decimal {}

impl Sealed for Price {}

impl Sealed for Usage {}

impl ToUsd for Decimal {
    type Amount = UsdAmount;

    fn to_usd(&self) -> Result<UsdAmount, UsdError> {
        self.as_str().parse()
    }
}

impl ToUsd for Price {
    /// `None` if the price varies.
    type Amount = Option<UsdAmount>;

    fn to_usd(&self) -> Result<Option<UsdAmount>, UsdError> {
        match self {
            Self::Fixed(price) => price.to_usd().map(Some),
            Self::Varies => Ok(None),
            Self::Unreadable(_) => Err(UsdError::NotANumber),
        }
    }
}

/// What an answer cost, and its usage in the layers' own type.
///
/// Sealed: implemented here for all types that fit; nothing to implement.
///
/// ```
/// use tower_openrouter::response::{Usage, UsageExt};
///
/// let usage: Usage = serde_json::from_str(r#"{"prompt_tokens":15,"completion_tokens":9,"total_tokens":24,"cost":0.00000765}"#)?;
/// assert_eq!(usage.charged()?.map(|cost| cost.to_string()).as_deref(), Some("$0.00000765"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait UsageExt: Sealed {
    /// The same in the layers' own type; `None` if it has neither counts nor a charge.
    ///
    /// Reads the names of other servers as well (`input_tokens`, `output_tokens` and their details). A missing count is derived from
    /// the total if the other one is there, and is 0 otherwise. An amount that overflows is left out: then the estimate stays.
    fn for_layers(&self) -> Option<TokenUsage>;

    /// What was charged to the account; `None` if the answer does not say.
    ///
    /// # Errors
    ///
    /// If the amount is too large.
    fn charged(&self) -> Result<Option<UsdAmount>, UsdError>;

    /// What it cost in all: with the account's own key, what the provider charges is added to what is charged here; `None` if the answer does
    /// not say what that is.
    ///
    /// # Errors
    ///
    /// If the amount is too large.
    fn total_cost(&self) -> Result<Option<UsdAmount>, UsdError>;
}

impl UsageExt for Usage {
    fn for_layers(&self) -> Option<TokenUsage> {
        of_counts(&self.counts())
    }

    fn charged(&self) -> Result<Option<UsdAmount>, UsdError> {
        match &self.cost {
            Some(cost) => cost.to_usd().map(Some),
            None => Ok(self.reported_cost().as_deref().and_then(amount)),
        }
    }

    fn total_cost(&self) -> Result<Option<UsdAmount>, UsdError> {
        let upstream = self
            .cost_details
            .as_ref()
            .and_then(|details| details.upstream_inference_cost.as_ref());
        match (self.charged()?, upstream) {
            (Some(fee), Some(upstream)) if self.is_byok == Some(true) => fee.checked_add(upstream.to_usd()?).map(Some),
            (None, Some(upstream)) if self.is_byok == Some(true) => upstream.to_usd().map(Some),
            // The fee alone is not what it cost.
            (_, None) if self.is_byok == Some(true) => Ok(None),
            (charged, _) => Ok(charged),
        }
    }
}

/// The same as [`UsageExt::for_layers`] of this object, mostly without the typed view.
pub(crate) fn token_usage(raw: &[u8]) -> Option<TokenUsage> {
    of_counts(&usage_counts(raw)?)
}

/// The same of embeddings, which have no answer in tokens: a total alone is what the prompt took. Voyage reports no more.
pub(crate) fn usage_of_vectors(mut usage: Usage) -> Option<TokenUsage> {
    let is_total_alone = {
        let counts = usage.counts();
        counts.prompt.is_none() && counts.answer.is_none()
    };
    if is_total_alone {
        usage.prompt_tokens = usage.total_tokens;
    }
    usage.for_layers()
}

/// The tier as the layers know it.
fn price_tier(tier: ServedTier) -> PriceTier {
    match tier {
        ServedTier::Cheaper => PriceTier::Cheaper,
        ServedTier::Priority => PriceTier::Priority,
        _ => PriceTier::Standard,
    }
}

/// The same, served by the tier that stands beside it.
pub(crate) fn at_tier(usage: Option<TokenUsage>, tier: Option<ServedTier>) -> Option<TokenUsage> {
    let mut usage = usage?;
    if let Some(tier) = tier.filter(|_| usage.tier == PriceTier::Standard) {
        usage.tier = price_tier(tier);
    }
    Some(usage)
}

fn of_counts(counts: &UsageCounts<'_>) -> Option<TokenUsage> {
    let mut usage = TokenUsage::default();
    usage.charged = counts.cost.as_deref().and_then(amount);
    usage.charged_upstream = counts.upstream_cost.as_deref().and_then(amount);
    if counts.prompt.is_none() && counts.answer.is_none() && usage.bill().is_none() {
        return None;
    }
    usage.prompt = counts.prompt.unwrap_or(0);
    usage.answer = counts.answer.unwrap_or(0);
    usage.cached = counts.cached;
    usage.cache_written = counts.cache_written;
    usage.cache_written_1h = counts.cache_written_1h;
    usage.audio = counts.audio;
    usage.images = counts.images;
    usage.reasoning = counts.reasoning;
    usage.answer_audio = counts.answer_audio;
    usage.answer_images = counts.answer_images;
    usage.searches = counts.searches;
    usage.tier = counts.tier.map_or_else(PriceTier::default, price_tier);
    Some(usage)
}

/// A charge is never a credit: what is below nothing is not believed.
fn amount(written: &str) -> Option<UsdAmount> {
    written.parse().ok().filter(|amount: &UsdAmount| !amount.is_negative())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_that_varies_has_no_amount_and_one_that_is_unreadable_is_an_error() {
        let price = |text: &str| serde_json::from_str::<Price>(text).unwrap().to_usd();
        assert_eq!(price(r#""0.00000015""#), Ok(Some(UsdAmount::from_pico(150_000))));
        assert_eq!(price(r#""-1""#), Ok(None));
        assert_eq!(price(r#""x""#), Err(UsdError::NotANumber));
    }

    #[test]
    fn costs_add_up_only_with_a_key_of_ones_own() {
        let usage = |text: &str| {
            serde_json::from_str::<Usage>(text)
                .unwrap()
                .total_cost()
                .unwrap()
                .map(UsdAmount::pico)
        };
        assert_eq!(
            usage(r#"{"cost":0.01,"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}"#),
            Some(210_000_000_000)
        );
        assert_eq!(
            usage(r#"{"cost":0.01,"is_byok":false,"cost_details":{"upstream_inference_cost":0.2}}"#),
            Some(10_000_000_000)
        );
        assert_eq!(
            usage(r#"{"is_byok":true,"cost_details":{"upstream_inference_cost":0.2}}"#),
            Some(200_000_000_000)
        );
        assert_eq!(usage(r#"{"cost":null}"#), None);
        assert_eq!(usage(r#"{"cost":5.85e-6}"#), Some(5_850_000));
        assert!(
            serde_json::from_str::<Usage>(r#"{"cost":1e60}"#)
                .unwrap()
                .charged()
                .is_err()
        );
    }

    #[test]
    fn a_charge_below_nothing_is_not_believed() {
        let usage = |text: &str| token_usage(text.as_bytes()).and_then(|usage| usage.charged);
        assert_eq!(usage(r#"{"cost":-1,"prompt_tokens":1}"#), None);
        assert_eq!(
            usage(r#"{"cost":-1,"cost_in_usd_ticks":5}"#),
            Some(UsdAmount::from_pico(500))
        );
        assert_eq!(usage(r#"{"cost":1e60,"prompt_tokens":1}"#), None);
        assert_eq!(
            usage(r#"{"cost":{"total_cost":0.5}}"#),
            Some(UsdAmount::from_pico(500_000_000_000))
        );
    }
}
