//! Where providers that speak OpenAI's chat completions differ in what they take.

use reqwest::Url;

use super::OPENAI;
use crate::dialect::Dialect;

/// The field in which an upstream takes the limit of a chat completion's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TokenLimitField {
    /// The one that the request has; `max_tokens` if a layer sets the limit of a request that has none.
    #[default]
    AsRequested,
    /// `max_tokens` alone. Other servers ignore `max_completion_tokens`, or answer 422 to it.
    MaxTokens,
    /// `max_completion_tokens` alone. OpenAI's reasoning models answer 400 to `max_tokens`.
    MaxCompletionTokens,
}

/// What an upstream takes in a chat completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChatCompatibility {
    pub(crate) limit: TokenLimitField,
    /// Whether it takes `stream_options`; without them it reports usage anyway.
    pub(crate) stream_options: bool,
}

impl Default for ChatCompatibility {
    fn default() -> Self {
        Self {
            limit: TokenLimitField::AsRequested,
            stream_options: true,
        }
    }
}

/// Hosts that take `max_tokens` alone, by the documentation of their APIs.
const MAX_TOKENS: [&str; 3] = ["api.mistral.ai", "api.deepseek.com", "api.perplexity.ai"];

/// Hosts that answer 422 to `stream_options`.
const NO_STREAM_OPTIONS: [&str; 1] = ["api.mistral.ai"];

/// OpenAI's own hosts, and the end of those of its models at Azure.
const OPENAI_HOST: &str = "api.openai.com";
const AZURE_HOSTS: &str = ".openai.azure.com";

/// Whether the upstream with this name and address is OpenAI itself, or has its models at Azure.
pub(super) fn is_openai(name: &str, base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default();
    name == OPENAI || host.ends_with(OPENAI_HOST) || host.ends_with(AZURE_HOSTS)
}

impl ChatCompatibility {
    /// Those of the upstream with this name and address.
    pub(super) fn of(name: &str, base: &Url, dialect: Dialect) -> Self {
        if dialect != Dialect::OpenAi {
            return Self::default();
        }
        let host = base.host_str().unwrap_or_default();
        let limit = if MAX_TOKENS.contains(&host) {
            TokenLimitField::MaxTokens
        } else if is_openai(name, base) {
            TokenLimitField::MaxCompletionTokens
        } else {
            TokenLimitField::AsRequested
        };
        Self {
            limit,
            stream_options: !NO_STREAM_OPTIONS.contains(&host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_is_known_by_its_address_and_openai_by_its_name_too() {
        use TokenLimitField::{AsRequested, MaxCompletionTokens, MaxTokens};
        for (name, base, limit, stream_options) in [
            ("openai", "http://127.0.0.1:1/v1/", MaxCompletionTokens, true),
            ("direct", "https://api.openai.com/v1/", MaxCompletionTokens, true),
            ("direct", "https://eu.api.openai.com/v1/", MaxCompletionTokens, true),
            (
                "azure",
                "https://acme.openai.azure.com/openai/v1/",
                MaxCompletionTokens,
                true,
            ),
            ("mistral", "https://api.mistral.ai/v1/", MaxTokens, false),
            ("openai", "https://api.deepseek.com/v1/", MaxTokens, true),
            ("groq", "https://api.groq.com/openai/v1/", AsRequested, true),
            ("local", "http://127.0.0.1:8000/v1/", AsRequested, true),
        ] {
            let words = ChatCompatibility::of(name, &base.parse().unwrap(), Dialect::OpenAi);
            assert_eq!(
                (words.limit, words.stream_options),
                (limit, stream_options),
                "{name} at {base}"
            );
        }
        let openrouter = ChatCompatibility::of(
            "openai",
            &"https://openrouter.ai/api/v1/".parse().unwrap(),
            Dialect::OpenRouter,
        );
        assert_eq!(openrouter, ChatCompatibility::default());
    }
}
