//! Caching of prompts by the provider.

use serde::{Deserialize, Serialize};

/// Asks the provider to cache the prompt up to here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CacheControl {
    /// `ephemeral` is the only kind there is.
    #[serde(rename = "type")]
    pub kind: String,
    /// How long it is kept: `5m` or `1h`. Writing for an hour costs more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
}

impl CacheControl {
    /// For as long as the provider does by default, five minutes mostly.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self {
            kind: "ephemeral".to_owned(),
            ttl: None,
        }
    }

    /// For an hour.
    #[must_use]
    pub fn one_hour() -> Self {
        Self {
            ttl: Some("1h".to_owned()),
            ..Self::ephemeral()
        }
    }
}
