use serde::{Deserialize, Serialize};

use super::{Amount, lenient};

/// What a call used, in tokens of the model's own tokenizer, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    #[serde(deserialize_with = "lenient::or_default")]
    pub prompt_tokens: u64,
    /// Tokens of the answer, reasoning included.
    #[serde(deserialize_with = "lenient::or_default")]
    pub completion_tokens: u64,
    /// Both.
    #[serde(deserialize_with = "lenient::or_default")]
    pub total_tokens: u64,
    /// What was charged to the account, in US dollars. Explicit zero is not the same as absent.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub cost: Option<Amount>,
    /// Whether the account's own provider key paid: then `cost` is only the router's fee.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub is_byok: Option<bool>,
    /// What the provider charged.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub cost_details: Option<CostDetails>,
    /// What the prompt's tokens were.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptDetails>,
    /// What the answer's tokens were.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionDetails>,
}

impl Usage {
    /// What the call cost in all: with one's own provider key, the router's fee and the provider's charge.
    #[must_use]
    pub fn total_cost(&self) -> Option<Amount> {
        let cost = self.cost?;
        let upstream = self.cost_details.as_ref().and_then(|details| details.upstream_inference_cost);
        match (self.is_byok, upstream) {
            (Some(true), Some(upstream)) => {
                let sum = cost.pico_dollars().saturating_add(upstream.pico_dollars());
                Some(Amount::from_pico_dollars(sum))
            }
            _ => Some(cost),
        }
    }
}

/// What the provider charged, in US dollars.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CostDetails {
    /// In all.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub upstream_inference_cost: Option<Amount>,
    /// For the prompt.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub upstream_inference_prompt_cost: Option<Amount>,
    /// For the answer.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub upstream_inference_completions_cost: Option<Amount>,
    /// For tools that ran at the server.
    #[serde(deserialize_with = "lenient::optional", skip_serializing_if = "Option::is_none")]
    pub server_tool_cost: Option<Amount>,
}

/// Parts of the prompt's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PromptDetails {
    /// Read from a cache.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Written to a cache.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of sound.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
    /// Of video.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub video_tokens: Option<u64>,
}

/// Parts of the answer's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CompletionDetails {
    /// Of reasoning.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of sound.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub audio_tokens: Option<u64>,
    /// Of images.
    #[serde(deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub image_tokens: Option<u64>,
}
