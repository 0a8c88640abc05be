//! The catalogue: models, their endpoints and their prices.

mod price;
#[cfg(test)]
mod tests;

pub use price::{Price, PriceOverride, PriceOverrides, Pricing};

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Modalities;
use crate::view::wire_struct;

/// The ending of the tag of an endpoint that serves faster, at a higher price.
pub const PRIORITY: &str = "/priority";

wire_struct! {
    /// A page of models.
    ModelsPage {
        /// The models.
        data: Vec<Model> = "data" always,
        /// How many there are on all pages.
        total_count: Option<u64> = "total_count",
        /// The links to the others.
        links: PageLinks = "links",
    }
}

wire_struct! {
    /// The links to the other pages.
    PageLinks {
        /// The next one; nothing on the last.
        next: Option<String> = "next" always,
    }
}

wire_struct! {
    /// A model.
    Model {
        /// What a request asks for.
        id: String = "id",
        /// A permanent, dated name. Answers may name the model by it.
        canonical_slug: String = "canonical_slug",
        /// What to show.
        name: String = "name",
        /// When it was added, in Unix seconds.
        created: u64 = "created",
        /// What it is for.
        description: Option<String> = "description",
        /// How many tokens prompt and answer may have together. One endpoint may offer less.
        context_length: Option<u64> = "context_length",
        /// What it reads and writes.
        architecture: Architecture = "architecture",
        /// What its cheapest endpoint costs.
        pricing: Pricing = "pricing",
        /// What its first endpoint offers.
        top_provider: TopProvider = "top_provider",
        /// Limits of one request.
        per_request_limits: Option<Value> = "per_request_limits",
        /// The parameters that some endpoint knows. One endpoint may know fewer.
        supported_parameters: Vec<String> = "supported_parameters",
        /// Voices it speaks with.
        supported_voices: Option<Vec<String>> = "supported_voices",
        /// The defaults of parameters.
        default_parameters: Option<BTreeMap<String, Value>> = "default_parameters",
        /// How it reasons, if it does.
        reasoning: Option<ModelReasoning> = "reasoning",
        /// The day after which it may be gone, as `YYYY-MM-DD`.
        expiration_date: Option<String> = "expiration_date",
        /// Until when it knows the world.
        knowledge_cutoff: Option<String> = "knowledge_cutoff",
        /// Its name on Hugging Face.
        hugging_face_id: Option<String> = "hugging_face_id",
        /// Of an alias: what it stands for today.
        alias_target: Option<AliasTarget> = "alias_target",
        /// The address of the list of its endpoints.
        links: Option<Links> = "links",
        /// How it did in tests of others.
        benchmarks: Option<Value> = "benchmarks",
    }
}

wire_struct! {
    /// What a model reads and writes.
    Architecture {
        /// Both in short, such as `text+image->text`.
        modality: Option<String> = "modality",
        /// The kinds it reads.
        input_modalities: Vec<String> = "input_modalities",
        /// The kinds it writes.
        output_modalities: Vec<String> = "output_modalities",
        /// How it counts tokens.
        tokenizer: Option<String> = "tokenizer",
        /// The form of its instructions.
        instruct_type: Option<String> = "instruct_type",
    }
}

wire_struct! {
    /// What the first endpoint of a model offers.
    TopProvider {
        /// How many tokens prompt and answer may have together.
        context_length: Option<u64> = "context_length",
        /// How many tokens the answer may have.
        max_completion_tokens: Option<u64> = "max_completion_tokens",
        /// Whether prompts are moderated.
        is_moderated: Option<bool> = "is_moderated",
    }
}

wire_struct! {
    /// How a model reasons.
    ModelReasoning {
        /// It cannot be turned off.
        mandatory: Option<bool> = "mandatory",
        /// It reasons by default.
        default_enabled: Option<bool> = "default_enabled",
        /// How much, by default.
        default_effort: Option<String> = "default_effort",
        /// How much it can.
        supported_efforts: Option<Vec<String>> = "supported_efforts",
        /// Whether a number of tokens may be given instead.
        supports_max_tokens: Option<bool> = "supports_max_tokens",
    }
}

wire_struct! {
    /// What an alias stands for.
    AliasTarget {
        /// What to show.
        name: Option<String> = "name",
        /// The model.
        slug: Option<String> = "slug",
    }
}

wire_struct! {
    /// Where to read more about a model.
    Links {
        /// The path of its endpoints.
        details: Option<String> = "details",
    }
}

wire_struct! {
    /// A model and its endpoints.
    ModelEndpoints {
        /// What a request asks for.
        id: String = "id",
        /// What to show.
        name: String = "name",
        /// When it was added, in Unix seconds.
        created: u64 = "created",
        /// What it is for.
        description: Option<String> = "description",
        /// What it reads and writes.
        architecture: Architecture = "architecture",
        /// The provider that serves it.
        endpoints: Vec<Endpoint> = "endpoints" always,
    }
}

wire_struct! {
    /// A provider that serves a model.
    Endpoint {
        /// What to show.
        name: String = "name",
        /// The model.
        model_id: String = "model_id",
        /// The model, as it is shown.
        model_name: String = "model_name",
        /// The provider, as it is shown.
        provider_name: String = "provider_name",
        /// The slug that provider preferences know it by.
        tag: String = "tag",
        /// How many tokens prompt and answer may have together.
        context_length: Option<u64> = "context_length",
        /// How many tokens the answer may have.
        max_completion_tokens: Option<u64> = "max_completion_tokens",
        /// How many tokens the prompt may have.
        max_prompt_tokens: Option<u64> = "max_prompt_tokens",
        /// What it costs.
        pricing: Pricing = "pricing",
        /// Its precision.
        quantization: Option<String> = "quantization",
        /// The parameters it knows.
        supported_parameters: Vec<String> = "supported_parameters",
        /// 0 is normal; what is below is not documented.
        status: Option<i64> = "status",
        /// The percentage of requests it answered, over five minutes.
        uptime_last_5m: Option<f64> = "uptime_last_5m",
        /// The same over half an hour.
        uptime_last_30m: Option<f64> = "uptime_last_30m",
        /// The same over a day.
        uptime_last_1d: Option<f64> = "uptime_last_1d",
        /// Milliseconds to the first token.
        latency_last_30m: Option<Percentiles> = "latency_last_30m",
        /// Tokens a second.
        throughput_last_30m: Option<Percentiles> = "throughput_last_30m",
        /// Whether it caches prompts unasked.
        supports_implicit_caching: Option<bool> = "supports_implicit_caching",
        /// Whether it clones voices.
        supports_voice_cloning: Option<bool> = "supports_voice_cloning",
        /// The tier of service that it is.
        service_tier: Option<Value> = "service_tier",
        /// Which ways of choosing a tool it takes.
        supports_tool_choice: Option<Value> = "supports_tool_choice",
        /// Tools of OpenRouter that the provider runs by itself, and its names for them.
        native_tools: Option<Value> = "native_tools",
        /// How fast it was in the last half hour, by what it served.
        perf_last_30m_by_workload: Option<Value> = "perf_last_30m_by_workload",
        /// Whether it tells speakers apart when it transcribes.
        supports_diarization: Option<bool> = "supports_diarization",
        /// Whether a voice may be described by a picture.
        supports_image_reference: Option<bool> = "supports_image_reference",
        /// Whether several sounds may describe a voice.
        supports_multiple_audio_references: Option<bool> = "supports_multiple_audio_references",
    }
}

wire_struct! {
    /// How a measure is spread.
    Percentiles {
        /// Half of the requests.
        p50: Option<f64> = "p50",
        /// Three quarters.
        p75: Option<f64> = "p75",
        /// Nine in ten.
        p90: Option<f64> = "p90",
        /// Ninety-nine in a hundred.
        p99: Option<f64> = "p99",
    }
}

impl Model {
    /// Whether some endpoint knows a parameter.
    #[must_use]
    pub fn supports(&self, parameter: &str) -> bool {
        self.supported_parameters.iter().any(|known| known == parameter)
    }

    /// Whether this is what a name in a request or an answer means: its id, its canonical slug, or one of them with a variant behind a colon.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        let bare = name.split_once(':').map_or(name, |(bare, _)| bare);
        [&self.id, &self.canonical_slug]
            .into_iter()
            .any(|known| known == name || known == bare)
    }
}

impl Architecture {
    /// The kinds it reads.
    #[must_use]
    pub fn input(&self) -> Modalities {
        self.input_modalities.iter().collect()
    }

    /// The kinds it writes.
    #[must_use]
    pub fn output(&self) -> Modalities {
        self.output_modalities.iter().collect()
    }
}
