//! How much a model thinks before it answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::view::open_enum;

open_enum! {
    /// How much a model thinks.
    Effort {
        /// As much as it can.
        Max = "max",
        /// Nearly as much.
        XHigh = "xhigh",
        /// Much: about 0.8 of the answer's tokens.
        High = "high",
        /// Half of the answer's tokens.
        Medium = "medium",
        /// Little: about 0.2.
        Low = "low",
        /// Hardly: about 0.1.
        Minimal = "minimal",
        /// Not at all. Some models refuse this.
        None = "none",
    }
}

/// How much a model thinks, and whether it tells. Give an effort or a number of tokens, not both.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Reasoning {
    /// How much, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// How much, in tokens. Must be less than the `max_tokens` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Think, and be paid for it, but do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<bool>,
    /// Think with medium effort, or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How much of it is summed up: `auto`, `concise`, `detailed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Reasoning {
    /// With this effort.
    #[must_use]
    pub fn effort(effort: impl Into<Effort>) -> Self {
        Self {
            effort: Some(effort.into()),
            ..Self::default()
        }
    }

    /// With at most this many tokens.
    #[must_use]
    pub fn max_tokens(tokens: u64) -> Self {
        Self {
            max_tokens: Some(tokens),
            ..Self::default()
        }
    }

    /// Not at all.
    #[must_use]
    pub fn off() -> Self {
        Self {
            enabled: Some(false),
            ..Self::default()
        }
    }

    /// Keeps the reasoning out of the answer. It is paid for all the same.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.exclude = Some(true);
        self
    }
}
