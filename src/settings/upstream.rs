//! Upstreams, their keys, and how the app shows at OpenRouter.

use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

use super::{Secret, text::InvalidValue};
use crate::{
    Api,
    transport::{
        ANTHROPIC, ANTHROPIC_URL, Attribution, Dialect, OPENAI, OPENAI_URL, OPENROUTER, OPENROUTER_URL,
        TokenLimitField, TransportError, Upstream,
    },
};

/// A place that answers calls, and its keys: see [`Upstream`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct UpstreamSettings {
    /// The name that candidates refer to. `openrouter`, `openai` and `anthropic` are known with their addresses, dialects and APIs.
    pub name: String,
    /// Everything before `/chat/completions`, without credentials. Needed unless the name is known.
    #[serde(default, deserialize_with = "base_url", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kind" = "base-url"))]
    pub base_url: Option<String>,
    /// What it understands; by default that of its name, and `openai` of any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// The APIs that it supports; by default those of its name or dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apis: Option<Vec<ApiSettings>>,
    /// The field in which it takes the limit of a chat completion's tokens; by default that of its address. Nothing is renamed for an upstream of
    /// OpenRouter's dialect, which takes both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_limit_field: Option<TokenLimitField>,
    /// Its key, or a list of keys that are used in turn: `env:NAME` or `file:PATH` each. By default it is called without a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeySettings>,
}

fn base_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let written = Option::<String>::deserialize(deserializer)?;
    written
        .as_deref()
        .map_or(Ok(()), check_base_url)
        .map_err(D::Error::custom)?;
    Ok(written)
}

/// Refuses credentials, so that settings hold none and their `Debug` prints none. The build reports whatever else is wrong with it.
pub(super) fn check_base_url(written: &str) -> Result<(), InvalidValue> {
    let has_credentials = match Url::parse(written.trim()) {
        Ok(url) => !url.username().is_empty() || url.password().is_some(),
        // Which part of it they are in cannot be known.
        Err(_) => written.contains('@'),
    };
    if has_credentials {
        return Err(InvalidValue::new(
            "the base URL has credentials, which do not stand in this file: leave them out, and give the key as `key`, by \"env:NAME\" or \
             \"file:PATH\"",
        ));
    }
    Ok(())
}

/// One key, or several that are used in turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[non_exhaustive]
pub enum KeySettings {
    /// Always the same.
    One(Secret),
    /// A pool.
    Pool(Vec<Secret>),
}

/// An API: see [`Api`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ApiSettings {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's embeddings.
    Embeddings,
}

impl UpstreamSettings {
    /// One of the known upstreams, or one that needs a base URL.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base_url: None,
            dialect: None,
            apis: None,
            token_limit_field: None,
            key: None,
        }
    }

    /// The keys, in their order.
    pub(super) fn secrets(&self) -> &[Secret] {
        match &self.key {
            None => &[],
            Some(KeySettings::One(key)) => std::slice::from_ref(key),
            Some(KeySettings::Pool(keys)) => keys,
        }
    }

    /// The upstream; `None` if its name is not known and it has no base URL.
    pub(super) fn upstream(&self) -> Option<Result<Upstream, TransportError>> {
        let known = match self.name.trim() {
            OPENROUTER => Some((OPENROUTER_URL, Dialect::OpenRouter, &Api::ALL[..])),
            OPENAI => Some((
                OPENAI_URL,
                Dialect::OpenAi,
                &[Api::Chat, Api::Responses, Api::Embeddings][..],
            )),
            ANTHROPIC => Some((ANTHROPIC_URL, Dialect::Anthropic, &[Api::Messages][..])),
            _ => None,
        };
        let base_url = self.base_url.as_deref().or(known.map(|(url, ..)| url))?;
        let named = || known.map_or(Dialect::OpenAi, |(_, dialect, _)| dialect);
        let dialect = self.dialect.unwrap_or_else(named);
        let upstream = Upstream::new(&self.name, base_url, dialect).map(|upstream| match self.token_limit_field {
            Some(field) => upstream.token_limit_field(field),
            None => upstream,
        });
        let known = known.filter(|_| self.dialect.is_none()).map(|(.., apis)| apis);
        Some(upstream.map(|upstream| match (&self.apis, known) {
            (Some(apis), _) => upstream.apis(apis.iter().map(|api| api.api())),
            (None, Some(apis)) => upstream.apis(apis.iter().copied()),
            (None, None) => upstream,
        }))
    }
}

impl ApiSettings {
    const fn api(self) -> Api {
        match self {
            Self::Chat => Api::Chat,
            Self::Responses => Api::Responses,
            Self::Messages => Api::Messages,
            Self::Embeddings => Api::Embeddings,
        }
    }
}

/// How the app shows at OpenRouter: see [`Attribution`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AttributionSettings {
    /// The app's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The app's URL, which identifies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Up to two of OpenRouter's categories, with a comma between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub categories: Option<String>,
}

impl AttributionSettings {
    pub(super) fn attribution(&self) -> Attribution {
        let mut attribution = self
            .title
            .clone()
            .map_or_else(Attribution::default, Attribution::titled);
        if let Some(url) = &self.url {
            attribution = attribution.url(&**url);
        }
        if let Some(categories) = &self.categories {
            attribution = attribution.categories(&**categories);
        }
        attribution
    }
}
