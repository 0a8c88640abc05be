use serde::{Deserialize, Deserializer};

use super::{Price, lenient};

/// A model in the catalogue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Model {
    /// The name to ask for.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// The permanent, dated name; answers may carry it.
    #[serde(deserialize_with = "lenient::optional")]
    pub canonical_slug: Option<String>,
    /// For people.
    #[serde(deserialize_with = "lenient::or_default")]
    pub name: String,
    /// When it was added, in Unix seconds.
    #[serde(deserialize_with = "lenient::or_default")]
    pub created: u64,
    /// For people.
    #[serde(deserialize_with = "lenient::or_default")]
    pub description: String,
    /// Prompt and answer together, in tokens; the provider that serves may take less.
    #[serde(deserialize_with = "lenient::count")]
    pub context_length: Option<u64>,
    /// What it takes and gives.
    #[serde(deserialize_with = "lenient::or_default")]
    pub architecture: Architecture,
    /// Prices of the cheapest provider: the one that serves may cost more.
    #[serde(deserialize_with = "lenient::or_default")]
    pub pricing: Pricing,
    /// The cheapest provider.
    #[serde(deserialize_with = "lenient::or_default")]
    pub top_provider: TopProvider,
    /// Parameters that at least one of its providers takes.
    #[serde(deserialize_with = "lenient::list")]
    pub supported_parameters: Vec<String>,
    /// The day after which it may vanish, as `YYYY-MM-DD`.
    #[serde(deserialize_with = "lenient::optional")]
    pub expiration_date: Option<String>,
}

impl Model {
    /// Who made it: the part of its id before the slash.
    #[must_use]
    pub fn author(&self) -> &str {
        self.id.split_once('/').map_or("", |(author, _)| author)
    }
}

/// What a model takes and gives.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Architecture {
    /// `text`, `image`, `file`, `audio`, `video`.
    #[serde(deserialize_with = "lenient::list")]
    pub input_modalities: Vec<String>,
    /// `text`, `image`, `embeddings`, …
    #[serde(deserialize_with = "lenient::list")]
    pub output_modalities: Vec<String>,
    /// The family of its tokenizer.
    #[serde(deserialize_with = "lenient::optional")]
    pub tokenizer: Option<String>,
}

/// Prices in US dollars per unit: a token, a request, an image, a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pricing {
    /// Per token of the prompt.
    pub prompt: Price,
    /// Per token of the answer.
    pub completion: Price,
    /// Per request.
    pub request: Price,
    /// Per image put in.
    pub image: Price,
    /// Per search.
    pub web_search: Price,
    /// Per token of reasoning, where it differs from an answer's.
    pub internal_reasoning: Price,
    /// Per token read from a cache.
    pub input_cache_read: Price,
    /// Per token written to a cache for five minutes.
    pub input_cache_write: Price,
}

/// The cheapest provider of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TopProvider {
    /// What it really serves, in tokens.
    #[serde(deserialize_with = "lenient::count")]
    pub context_length: Option<u64>,
    /// Its longest answer, in tokens.
    #[serde(deserialize_with = "lenient::count")]
    pub max_completion_tokens: Option<u64>,
    /// Whether prompts pass moderation first.
    #[serde(deserialize_with = "lenient::or_default")]
    pub is_moderated: bool,
}

/// One page of the catalogue.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelsPage {
    /// The models on it.
    #[serde(deserialize_with = "lenient::list")]
    pub data: Vec<Model>,
    /// How many there are on all pages.
    #[serde(deserialize_with = "lenient::count")]
    pub total_count: Option<u64>,
    /// Where the next page is; `None` on the last one.
    #[serde(rename = "links", deserialize_with = "next_link")]
    pub next: Option<String>,
}

fn next_link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Links {
        next: Option<String>,
    }

    Ok(lenient::optional::<D, Links>(deserializer)?.and_then(|links| links.next))
}

/// A model with everyone who serves it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelEndpoints {
    /// The model.
    #[serde(deserialize_with = "lenient::or_default")]
    pub id: String,
    /// For people.
    #[serde(deserialize_with = "lenient::or_default")]
    pub name: String,
    /// Who serves it.
    #[serde(deserialize_with = "lenient::list")]
    pub endpoints: Vec<ModelEndpoint>,
}

/// One provider's offer of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelEndpoint {
    /// The provider, for people.
    #[serde(deserialize_with = "lenient::or_default")]
    pub provider_name: String,
    /// The name for provider preferences, e.g. `deepinfra/turbo`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub tag: String,
    /// Prompt and answer together, in tokens.
    #[serde(deserialize_with = "lenient::count")]
    pub context_length: Option<u64>,
    /// The longest answer, in tokens.
    #[serde(deserialize_with = "lenient::count")]
    pub max_completion_tokens: Option<u64>,
    /// Its prices.
    #[serde(deserialize_with = "lenient::or_default")]
    pub pricing: Pricing,
    /// How numbers are stored, e.g. `fp8`.
    #[serde(deserialize_with = "lenient::optional")]
    pub quantization: Option<String>,
    /// Parameters it takes: narrower than the model's.
    #[serde(deserialize_with = "lenient::list")]
    pub supported_parameters: Vec<String>,
    /// Share of calls that went well in the last half hour, in percent.
    #[serde(deserialize_with = "lenient::optional")]
    pub uptime_last_30m: Option<f64>,
    /// Time to the first token in the last half hour, in milliseconds; unknown without a key.
    #[serde(deserialize_with = "lenient::optional")]
    pub latency_last_30m: Option<Percentiles>,
    /// Tokens a second in the last half hour; unknown without a key.
    #[serde(deserialize_with = "lenient::optional")]
    pub throughput_last_30m: Option<Percentiles>,
}

/// Percentiles of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// Three quarters are below.
    pub p75: Option<f64>,
    /// Nine tenths are below.
    pub p90: Option<f64>,
    /// All but one in a hundred are below.
    pub p99: Option<f64>,
}
