//! What an upstream understands.

use crate::Api;

/// What an upstream understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "lowercase")
)]
#[non_exhaustive]
pub enum Dialect {
    /// All of OpenRouter's fields.
    OpenRouter,
    /// OpenAI's chat completions only: fields that only OpenRouter knows are left out of the body, and usage is requested
    /// on streams.
    OpenAi,
    /// Anthropic's messages only: fields that only OpenRouter knows are left out of the body, the key goes as `x-api-key`, and
    /// `anthropic-version` is sent unless the request has one.
    Anthropic,
}

impl Dialect {
    /// The APIs that an upstream of this dialect speaks unless another set is given.
    pub(crate) const fn apis(self) -> &'static [Api] {
        match self {
            Self::OpenRouter => &Api::ALL,
            Self::OpenAi => &[Api::Chat, Api::Embeddings],
            Self::Anthropic => &[Api::Messages],
        }
    }
}
