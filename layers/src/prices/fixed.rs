//! A price list that is written down.

use std::collections::HashMap;

use super::{PriceList, Quote, WorstCasePrice};
use crate::{Candidate, Needs, TokenUsage, UsdAmount, UtcTime};

/// Prices by candidate that do not change: for a service of your own, and for tests.
///
/// ```
/// use tower_llm_layers::{Candidate, FixedPrices, UsdAmount, WorstCasePrice};
///
/// let price = WorstCasePrice {
///     prompt_token: "0.000001".parse()?,
///     answer_token: "0.000010".parse()?,
///     ..WorstCasePrice::default()
/// };
/// let prices = FixedPrices::new([(Candidate::new("openai", "gpt-5")?, price)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FixedPrices(HashMap<Candidate, WorstCasePrice>);

impl FixedPrices {
    /// A list of these prices. A candidate that is not on it has an unknown price.
    #[must_use]
    pub fn new(prices: impl IntoIterator<Item = (Candidate, WorstCasePrice)>) -> Self {
        Self(prices.into_iter().collect())
    }
}

impl PriceList for FixedPrices {
    fn quote(&self, candidate: &Candidate, _: &Needs, _: UtcTime) -> Quote {
        self.0
            .get(candidate)
            .map_or(Quote::Unknown, |price| Quote::Known(*price))
    }

    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, _: UtcTime) -> Option<UsdAmount> {
        self.0.get(candidate)?.cost(usage.prompt, usage.answer).ok()
    }
}
