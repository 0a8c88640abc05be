//! A price list that is written down.

use std::collections::HashMap;

use super::{PriceList, Quote, WorstCasePrice};
use crate::{Candidate, Needs, PriceTier, TokenUsage, UsdAmount, UtcTime};

/// Prices by candidate that do not change: for a service of your own, and for tests.
///
/// ```
/// use tower_llm_layers::{Candidate, FixedPrices, UsdAmount, WorstCasePrice};
///
/// let price = WorstCasePrice::new()
///     .prompt_token("0.000001".parse()?)
///     .answer_token("0.000010".parse()?);
/// let prices = FixedPrices::new([(Candidate::new("openai", "gpt-5")?, price)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FixedPrices {
    prices: HashMap<Candidate, WorstCasePrice>,
    /// Of a faster and more expensive tier.
    priority: HashMap<Candidate, WorstCasePrice>,
}

impl FixedPrices {
    /// A list of these prices. A candidate that is not on it has an unknown price.
    #[must_use]
    pub fn new(prices: impl IntoIterator<Item = (Candidate, WorstCasePrice)>) -> Self {
        Self {
            prices: prices.into_iter().collect(),
            priority: HashMap::new(),
        }
    }

    /// The same with these prices of a faster and more expensive tier. A request that [may be served on one](Needs::priority) has an unknown price at
    /// a candidate without one.
    #[must_use]
    pub fn with_priority(mut self, prices: impl IntoIterator<Item = (Candidate, WorstCasePrice)>) -> Self {
        self.priority.extend(prices);
        self
    }
}

impl PriceList for FixedPrices {
    fn quote(&self, candidate: &Candidate, needs: &Needs, _: UtcTime) -> Quote {
        let Some(price) = self.prices.get(candidate) else {
            return Quote::Unknown;
        };
        if !needs.priority {
            return Quote::Known(*price);
        }
        // Either tier may serve it.
        let priority = self.priority.get(candidate);
        priority.map_or(Quote::Unknown, |priority| Quote::Known(costlier(price, priority)))
    }

    fn cost(&self, candidate: &Candidate, usage: &TokenUsage, _: UtcTime) -> Option<UsdAmount> {
        let cost = |price: &WorstCasePrice| price.cost(usage.prompt, usage.answer).ok();
        let standard = cost(self.prices.get(candidate)?)?;
        match self.priority.get(candidate) {
            Some(priority) if usage.tier == PriceTier::Priority => Some(standard.max(cost(priority)?)),
            _ => Some(standard),
        }
    }

    fn has_tier(&self, candidate: &Candidate, usage: &TokenUsage) -> bool {
        match usage.tier {
            PriceTier::Standard => true,
            PriceTier::Cheaper => false,
            PriceTier::Priority => self.priority.contains_key(candidate),
        }
    }
}

fn costlier(one: &WorstCasePrice, other: &WorstCasePrice) -> WorstCasePrice {
    WorstCasePrice {
        fixed: one.fixed.max(other.fixed),
        prompt_token: one.prompt_token.max(other.prompt_token),
        answer_token: one.answer_token.max(other.answer_token),
        max_answer: one.max_answer.zip(other.max_answer).map(|(one, other)| one.max(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(answer_token: &str) -> WorstCasePrice {
        WorstCasePrice {
            answer_token: answer_token.parse().unwrap(),
            ..WorstCasePrice::default()
        }
    }

    #[test]
    fn a_faster_tier_has_the_price_that_is_stated_for_it_or_none() {
        let candidate = Candidate::new("openai", "gpt-5").unwrap();
        let (plain, fast) = (price("0.001"), price("0.002"));
        let prices = FixedPrices::new([(candidate.clone(), plain)]);
        let at = UtcTime::from_millis(0);
        let mut needs = Needs::of_prompt(1, 1);
        let mut usage = TokenUsage {
            answer: 10,
            ..TokenUsage::default()
        };
        assert_eq!(prices.quote(&candidate, &needs, at), Quote::Known(plain));
        needs.priority = true;
        assert_eq!(prices.quote(&candidate, &needs, at), Quote::Unknown);
        let tiered = prices.clone().with_priority([(candidate.clone(), fast)]);
        assert_eq!(tiered.quote(&candidate, &needs, at), Quote::Known(fast));
        let slow = prices.clone().with_priority([(candidate.clone(), price("0"))]);
        assert_eq!(slow.quote(&candidate, &needs, at), Quote::Known(plain));

        assert_eq!(tiered.cost(&candidate, &usage, at), "0.01".parse().ok());
        usage.tier = PriceTier::Priority;
        assert_eq!(tiered.cost(&candidate, &usage, at), "0.02".parse().ok());
        assert!(tiered.has_tier(&candidate, &usage) && !prices.has_tier(&candidate, &usage));
        let other = Candidate::new("openai", "gpt-6").unwrap();
        assert_eq!(tiered.quote(&other, &needs, at), Quote::Unknown);
        assert_eq!(tiered.cost(&other, &usage, at), None);
    }
}
