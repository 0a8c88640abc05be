//! The health of the providers behind OpenRouter.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::provider_health::ProviderPolicy;

use super::Time;

/// When a provider behind OpenRouter is left out of requests, and for how long: see [`ProviderPolicy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ProviderHealthSettings {
    /// How many of the last attempts of a provider count.
    pub window_calls: usize,
    /// For how long each of them counts.
    pub window_time: Time,
    /// The fewest attempts in the window before the ratio counts.
    pub min_calls: u32,
    /// The share of failures at which a provider is left out.
    pub error_ratio: f64,
    /// How long a provider is left out at first; twice as long after each probe that fails.
    pub ignore_for: Time,
    /// How long a provider is left out at most.
    pub ignore_at_most: Time,
    /// Whether the fastest providers go first.
    pub prefer_fast: bool,
    /// Slugs of providers whose slug is not made of their name, by their names.
    pub slugs: BTreeMap<String, String>,
}

impl Default for ProviderHealthSettings {
    fn default() -> Self {
        Self {
            window_calls: 50,
            window_time: Time::seconds(300),
            min_calls: 5,
            error_ratio: 0.5,
            ignore_for: Time::seconds(30),
            ignore_at_most: Time::seconds(600),
            prefer_fast: false,
            slugs: BTreeMap::new(),
        }
    }
}

impl ProviderHealthSettings {
    pub(super) fn policy(&self) -> ProviderPolicy {
        let policy = ProviderPolicy::new()
            .window(self.window_calls, self.window_time.0)
            .min_calls(self.min_calls)
            .error_ratio(self.error_ratio)
            .ignore_for(self.ignore_for.0, self.ignore_at_most.0)
            .prefer_fast(self.prefer_fast);
        let slugs = self.slugs.iter();
        slugs.fold(policy, |policy, (name, slug)| policy.slug(name, slug))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_policy() {
        assert_eq!(ProviderHealthSettings::default().policy(), ProviderPolicy::new());
    }
}
