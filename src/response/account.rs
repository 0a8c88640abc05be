use serde::Deserialize;

use super::{Amount, lenient};

/// A key's own limits and usage, in US dollars. Usage lags by minutes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The masked key, or its name.
    #[serde(deserialize_with = "lenient::or_default")]
    pub label: String,
    /// Its cap; `None` where there is none.
    #[serde(deserialize_with = "lenient::optional")]
    pub limit: Option<Amount>,
    /// What is left under the cap; `None` is not zero.
    #[serde(deserialize_with = "lenient::optional")]
    pub limit_remaining: Option<Amount>,
    /// When the cap comes back: `daily`, `weekly`, `monthly`; all at 00:00 UTC.
    #[serde(deserialize_with = "lenient::optional")]
    pub limit_reset: Option<String>,
    /// Spent in all.
    #[serde(deserialize_with = "lenient::or_default")]
    pub usage: Amount,
    /// Spent today.
    #[serde(deserialize_with = "lenient::or_default")]
    pub usage_daily: Amount,
    /// Spent this week.
    #[serde(deserialize_with = "lenient::or_default")]
    pub usage_weekly: Amount,
    /// Spent this month.
    #[serde(deserialize_with = "lenient::or_default")]
    pub usage_monthly: Amount,
    /// Whether the account never bought credits, and so has 50 free calls a day.
    #[serde(deserialize_with = "lenient::or_default")]
    pub is_free_tier: bool,
    /// Whether it manages keys, and so cannot make calls.
    #[serde(deserialize_with = "lenient::or_default")]
    pub is_management_key: bool,
    /// When it ends, as ISO 8601.
    #[serde(deserialize_with = "lenient::optional")]
    pub expires_at: Option<String>,
    /// Calls of free models today.
    #[serde(deserialize_with = "lenient::optional")]
    pub free_model_daily_requests: Option<FreeRequests>,
}

/// Calls of free models in one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FreeRequests {
    /// Made.
    pub used: u64,
    /// Allowed.
    pub limit: u64,
    /// Left.
    pub remaining: u64,
}

/// The account's balance, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Credits {
    /// Bought in all.
    #[serde(deserialize_with = "lenient::or_default")]
    pub total_credits: Amount,
    /// Spent in all.
    #[serde(deserialize_with = "lenient::or_default")]
    pub total_usage: Amount,
}

impl Credits {
    /// What is left; may be negative.
    #[must_use]
    pub const fn balance(&self) -> Amount {
        Amount::from_pico_dollars(self.total_credits.pico_dollars().saturating_sub(self.total_usage.pico_dollars()))
    }
}

/// What became of a generation, and its bill.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Generation {
    /// Its id.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// The model that answered.
    #[serde(deserialize_with = "lenient::optional")]
    pub model: Option<String>,
    /// The provider that served.
    #[serde(deserialize_with = "lenient::optional")]
    pub provider_name: Option<String>,
    /// Whether it was streamed.
    #[serde(deserialize_with = "lenient::optional")]
    pub streamed: Option<bool>,
    /// Whether the caller left.
    #[serde(deserialize_with = "lenient::optional")]
    pub cancelled: Option<bool>,
    /// Whether the account's own provider key paid.
    #[serde(deserialize_with = "lenient::optional")]
    pub is_byok: Option<bool>,
    /// Why it ended.
    #[serde(deserialize_with = "lenient::optional")]
    pub finish_reason: Option<String>,
    /// To the first token, in milliseconds.
    #[serde(deserialize_with = "lenient::optional")]
    pub latency: Option<f64>,
    /// To the last one, in milliseconds.
    #[serde(deserialize_with = "lenient::optional")]
    pub generation_time: Option<f64>,
    /// Tokens of the prompt, as billed.
    #[serde(deserialize_with = "lenient::count")]
    pub native_tokens_prompt: Option<u64>,
    /// Tokens of the answer, as billed.
    #[serde(deserialize_with = "lenient::count")]
    pub native_tokens_completion: Option<u64>,
    /// Of those, reasoning.
    #[serde(deserialize_with = "lenient::count")]
    pub native_tokens_reasoning: Option<u64>,
    /// Of the prompt's, read from a cache.
    #[serde(deserialize_with = "lenient::count")]
    pub native_tokens_cached: Option<u64>,
    /// The bill, in US dollars.
    #[serde(deserialize_with = "lenient::optional")]
    pub total_cost: Option<Amount>,
    /// What the provider charged to the account's own key, in US dollars.
    #[serde(deserialize_with = "lenient::optional")]
    pub upstream_inference_cost: Option<Amount>,
    /// What caching saved, in US dollars; negative where writing it cost more.
    #[serde(deserialize_with = "lenient::optional")]
    pub cache_discount: Option<Amount>,
    /// Each attempt of the router, failed ones included.
    #[serde(deserialize_with = "lenient::list")]
    pub provider_responses: Vec<ProviderResponse>,
}

/// One attempt of the router.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ProviderResponse {
    /// The provider.
    #[serde(deserialize_with = "lenient::optional")]
    pub provider_name: Option<String>,
    /// How it answered.
    #[serde(deserialize_with = "lenient::optional")]
    pub status: Option<u16>,
    /// In milliseconds.
    #[serde(deserialize_with = "lenient::optional")]
    pub latency: Option<f64>,
}
