//! Prices, and what to do if one is unknown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{WorstCasePrice, cost::UnknownPrice};

use super::Usd;
use crate::response::Pricing;

/// The price of one model, in US dollars for one unit each: of a model at another upstream than OpenRouter, or in the place of what the
/// catalogue says. It is the price of no faster tier (a `service_tier` of `priority`) and of no picture: what asks for one has an unknown price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PriceSettings {
    /// The upstream's name.
    #[serde(default = "super::candidate::openrouter")]
    pub upstream: String,
    /// The model's name there.
    pub model: String,
    /// For a token of prompt.
    pub prompt: Usd,
    /// For a token of answer.
    pub completion: Usd,
    /// For a request, whatever its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Usd>,
    /// For a token of prompt that is read from the upstream's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_cache_read: Option<Usd>,
    /// For a token of prompt that is written to the upstream's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_cache_write: Option<Usd>,
}

impl PriceSettings {
    /// The price of a model at an upstream, for a token of prompt and of answer.
    pub fn new(
        upstream: impl Into<String>,
        model: impl Into<String>,
        prompt: impl Into<Usd>,
        completion: impl Into<Usd>,
    ) -> Self {
        Self {
            upstream: upstream.into(),
            model: model.into(),
            prompt: prompt.into(),
            completion: completion.into(),
            request: None,
            input_cache_read: None,
            input_cache_write: None,
        }
    }

    pub(super) fn pricing(&self) -> Result<Pricing, serde_json::Error> {
        let prices = [
            ("prompt", Some(self.prompt)),
            ("completion", Some(self.completion)),
            ("request", self.request),
            ("input_cache_read", self.input_cache_read),
            ("input_cache_write", self.input_cache_write),
        ];
        let given = prices.into_iter().filter_map(|(name, price)| {
            let decimal = price?.0.decimal();
            Some((name.to_owned(), decimal.into()))
        });
        serde_json::from_value(serde_json::Value::Object(given.collect()))
    }
}

/// What to do if a budget applies and the price of a candidate is unknown: see [`UnknownPrice`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UnknownPriceSettings {
    /// Refuse the attempt, so that the next candidate answers.
    Refuse,
    /// Let it through without a reservation.
    Allow,
    /// Reserve by this price.
    Assume(AssumedPrice),
}

/// A price that is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AssumedPrice {
    /// Whatever the tokens.
    #[serde(default)]
    pub fixed: Usd,
    /// For a token of prompt.
    pub prompt_token: Usd,
    /// For a token of answer.
    pub answer_token: Usd,
    /// The longest answer, in tokens; by default unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_answer: Option<u64>,
}

impl AssumedPrice {
    /// So much for a token of prompt and of answer.
    pub fn new(prompt_token: impl Into<Usd>, answer_token: impl Into<Usd>) -> Self {
        Self {
            fixed: Usd::default(),
            prompt_token: prompt_token.into(),
            answer_token: answer_token.into(),
            max_answer: None,
        }
    }
}

impl UnknownPriceSettings {
    pub(super) fn policy(&self) -> UnknownPrice {
        match self {
            Self::Refuse => UnknownPrice::Refuse,
            Self::Allow => UnknownPrice::Allow,
            Self::Assume(price) => UnknownPrice::Assume(
                WorstCasePrice::new()
                    .fixed(price.fixed.0)
                    .prompt_token(price.prompt_token.0)
                    .answer_token(price.answer_token.0)
                    .max_answer(price.max_answer),
            ),
        }
    }
}
