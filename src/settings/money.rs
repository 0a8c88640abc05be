//! Budgets, prices, and what to do if a price is unknown.

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
    UsdAmount, WorstCasePrice,
    budget::{Budget, BudgetError, Window},
    cost::UnknownPrice,
};

use super::text::{InvalidValue, written_as_text};
use crate::response::Pricing;

/// An amount of US dollars, exact: `"$5.00"` or `"5.00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Usd(pub UsdAmount);

impl From<UsdAmount> for Usd {
    fn from(amount: UsdAmount) -> Self {
        Self(amount)
    }
}

impl FromStr for Usd {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let wrong = |why: &str| {
            InvalidValue::new(format!(
                "not an amount of dollars ({why}): write e.g. \"$5.00\" or \"0.00000125\""
            ))
        };
        let amount = text.strip_prefix('$').unwrap_or(text).parse::<UsdAmount>();
        match amount {
            Ok(amount) if amount.is_negative() => Err(wrong("below zero")),
            Ok(amount) => Ok(Self(amount)),
            Err(error) => Err(wrong(&error.to_string())),
        }
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

written_as_text!(Usd, "usd", ["$5.00", "0.00000125"]);

/// The most that may be spent, for a scope and a window: see [`Budget`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// Its name: letters, digits and `_-./:`. What was spent is remembered under it.
    pub name: String,
    /// The most that may be spent in one window.
    pub usd: Usd,
    /// The window, in UTC: the budget is full again with each.
    #[serde(default)]
    pub per: WindowSettings,
    /// Tags each value of which has the whole amount for itself; `model` and `upstream` are the candidate's.
    #[serde(default)]
    pub each: Vec<String>,
    /// Only calls with these values of tags are counted.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// Only warns, and never refuses.
    #[serde(default)]
    pub soft: bool,
}

/// How long a budget lasts before it is full again: see [`Window`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WindowSettings {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month, from its first day.
    Month,
    /// No window: what is spent stays spent.
    #[default]
    Ever,
}

impl BudgetSettings {
    /// So much for all calls together, without a window.
    pub fn new(name: impl Into<String>, usd: impl Into<Usd>) -> Self {
        Self {
            name: name.into(),
            usd: usd.into(),
            per: WindowSettings::Ever,
            each: Vec::new(),
            only: BTreeMap::new(),
            soft: false,
        }
    }

    pub(super) fn budget(&self) -> Result<Budget, BudgetError> {
        let window = match self.per {
            WindowSettings::Day => Window::Day,
            WindowSettings::Week => Window::Week,
            WindowSettings::Month => Window::Month,
            WindowSettings::Ever => Window::Ever,
        };
        let mut budget = Budget::new(&self.name, self.usd.0)?.per(window);
        for tag in &self.each {
            budget = budget.each(tag);
        }
        for (tag, value) in &self.only {
            budget = budget.only(tag, value);
        }
        Ok(if self.soft { budget.soft() } else { budget })
    }
}

/// The price of one model, in US dollars for one unit each: of a model at another upstream than OpenRouter, or in the place of what the
/// catalogue says.
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
            let decimal = price?.to_string().replace('$', "");
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
            Self::Assume(price) => UnknownPrice::Assume(WorstCasePrice {
                fixed: price.fixed.0,
                prompt_token: price.prompt_token.0,
                answer_token: price.answer_token.0,
                max_answer: price.max_answer,
            }),
        }
    }
}
