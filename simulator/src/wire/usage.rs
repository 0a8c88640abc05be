//! Usage and cost.

use serde::Serialize;
use serde_json::{Value, json};

use crate::money::Cost;
use crate::prompt_cache::Caching;

/// Token counts and what they cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) prompt: u64,
    pub(crate) caching: Caching,
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
    pub(crate) prompt_cost: Cost,
    pub(crate) completion_cost: Cost,
    /// What further answers, server tools and plugins add.
    pub(crate) extra: Cost,
}

impl Tally {
    /// All costs together.
    pub(crate) fn cost(&self) -> Cost {
        self.prompt_cost + self.completion_cost + self.extra
    }

    /// The `usage` object.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            prompt_tokens: self.prompt,
            completion_tokens: self.completion,
            total_tokens: self.prompt + self.completion,
            cost: self.cost(),
            is_byok: false,
            prompt_tokens_details: json!({"cached_tokens": self.caching.read,
                                          "cache_write_tokens": self.caching.written,
                                          "audio_tokens": 0, "video_tokens": 0}),
            cost_details: CostDetails {
                upstream_inference_cost: self.cost(),
                upstream_inference_prompt_cost: self.prompt_cost,
                upstream_inference_completions_cost: self.completion_cost,
            },
            completion_tokens_details: json!({"reasoning_tokens": self.reasoning, "image_tokens": 0,
                                              "audio_tokens": 0}),
        }
    }
}

/// The `usage` object of a chat answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    cost: Cost,
    is_byok: bool,
    prompt_tokens_details: Value,
    cost_details: CostDetails,
    completion_tokens_details: Value,
}

#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
struct CostDetails {
    upstream_inference_cost: Cost,
    upstream_inference_prompt_cost: Cost,
    upstream_inference_completions_cost: Cost,
}
