//! A request written field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::chat::ChatRequest;
use super::edit::encode;
use openrouter_wire::{
    Modalities,
    chat::{
        CacheControl, Content, Effort, Message, Plugin, ProviderPreferences, Reasoning, ResponseFormat, ServiceTier,
        Tool, ToolChoice, Verbosity,
    },
    document::Document,
};

/// Setters of one value each, over a private method `with`.
macro_rules! setters {
    ($( $(#[$doc:meta])* $name:ident($type:ty) = $field:literal; )+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(self, value: $type) -> Self {
                self.with($field, &value)
            }
        )+
    };
}

pub(crate) use setters;

impl ChatRequest {
    /// A request with one message of a user.
    #[must_use]
    pub fn user(content: impl Into<Content>) -> Self {
        Self::new([Message::user(content)])
    }

    /// A request with these messages.
    #[must_use]
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        let messages: Vec<Message> = messages.into_iter().collect();
        let mut document = Document::new();
        document.set("messages", encode(&messages));
        Self::from_document(document)
    }

    /// Puts instructions before all messages.
    #[must_use]
    pub fn system(mut self, content: impl Into<Content>) -> Self {
        self.push_front(&Message::system(content));
        self
    }

    /// Adds a message behind the others.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads better when messages are made on the spot"
    )]
    pub fn message(mut self, message: Message) -> Self {
        self.push_message(&message);
        self
    }

    /// Limits the answer, reasoning included, to so many tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.set_max_tokens(tokens);
        self
    }

    setters! {
        /// How freely tokens are drawn, 0 to 2.
        temperature(f64) = "temperature";
        /// Draws from the likeliest tokens that make up this share, 0 to 1.
        top_p(f64) = "top_p";
        /// Draws from this many of the likeliest tokens; 0 is off. Not for OpenAI's models.
        top_k(u64) = "top_k";
        /// Draws no token less likely than this share of the likeliest one, 0 to 1.
        min_p(f64) = "min_p";
        /// Draws only tokens that are likely beside the likeliest one, 0 to 1; 0 is off.
        top_a(f64) = "top_a";
        /// Limits the answer, reasoning included, under the newer name of the field. [`max_tokens`](Self::max_tokens) writes the usual one.
        max_completion_tokens(u64) = "max_completion_tokens";
        /// Makes tokens less likely the more often they came, −2 to 2.
        frequency_penalty(f64) = "frequency_penalty";
        /// Makes tokens less likely once they came, −2 to 2.
        presence_penalty(f64) = "presence_penalty";
        /// Makes tokens of the prompt less likely, 0 to 2; 1 is off.
        repetition_penalty(f64) = "repetition_penalty";
        /// Requests the same answer to the same seed, if the provider supports it.
        seed(i64) = "seed";
        /// Asks for the log-probabilities of the answer's tokens.
        logprobs(bool) = "logprobs";
        /// Asks for the likeliest other tokens of each place, 0 to 20. Needs [`logprobs`](Self::logprobs).
        top_logprobs(u64) = "top_logprobs";
        /// Whether and which tool must be called.
        tool_choice(ToolChoice) = "tool_choice";
        /// Whether several tools may be called at once; they may, by default.
        parallel_tool_calls(bool) = "parallel_tool_calls";
        /// The form of the answer.
        response_format(ResponseFormat) = "response_format";
        /// Which providers may serve.
        provider(ProviderPreferences) = "provider";
        /// How much the model thinks.
        reasoning(Reasoning) = "reasoning";
        /// Caches the prompt by itself, the way Anthropic's models do.
        cache_control(CacheControl) = "cache_control";
    }

    /// How much the model thinks, in a word: the short form of [`reasoning`](Self::reasoning).
    #[must_use]
    pub fn reasoning_effort(self, effort: impl Into<Effort>) -> Self {
        self.with("reasoning_effort", &effort.into())
    }

    /// Up to four texts at which the answer ends.
    #[must_use]
    pub fn stop<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        self.with("stop", &texts.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// Makes tokens, by their ids, more or less likely: −100 to 100.
    #[must_use]
    pub fn logit_bias(self, bias: impl IntoIterator<Item = (u32, f64)>) -> Self {
        self.with("logit_bias", &bias.into_iter().collect::<BTreeMap<u32, f64>>())
    }

    /// Tools the model may call. They must come again with every turn.
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = Tool>) -> Self {
        self.with("tools", &tools.into_iter().collect::<Vec<Tool>>())
    }

    /// Plugins.
    #[must_use]
    pub fn plugins(self, plugins: impl IntoIterator<Item = Plugin>) -> Self {
        self.with("plugins", &plugins.into_iter().collect::<Vec<Plugin>>())
    }

    /// The end user this is made for, as the field `user`: a stable id, by which a provider's block for abuse stays with that user.
    #[must_use]
    pub fn end_user(self, id: impl AsRef<str>) -> Self {
        self.with("user", id.as_ref())
    }

    /// The session this belongs to, at most 256 characters: its calls stay with one provider, whose cache is warm.
    #[must_use]
    pub fn session_id(self, id: impl AsRef<str>) -> Self {
        self.with("session_id", id.as_ref())
    }

    /// A pair to find the request by: at most 16 of them, the key at most 64 characters, the value at most 512.
    #[must_use]
    pub fn metadata(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let mut pairs = self.read_metadata().unwrap_or_default();
        pairs.insert(key.into(), value.into());
        self.with("metadata", &pairs)
    }

    /// The tier of service.
    #[must_use]
    pub fn service_tier(self, tier: impl Into<ServiceTier>) -> Self {
        self.with("service_tier", &tier.into())
    }

    /// A key by which the provider finds its cache again.
    #[must_use]
    pub fn prompt_cache_key(self, key: impl AsRef<str>) -> Self {
        self.with("prompt_cache_key", key.as_ref())
    }

    /// How much the model says.
    #[must_use]
    pub fn verbosity(self, verbosity: impl Into<Verbosity>) -> Self {
        self.with("verbosity", &verbosity.into())
    }

    /// The kinds of output asked for.
    #[must_use]
    pub fn modalities(self, modalities: Modalities) -> Self {
        self.with("modalities", &modalities.names().collect::<Vec<_>>())
    }

    /// What the answer will probably be, if most of it is known beforehand.
    #[must_use]
    pub fn prediction(self, content: impl Into<Content>) -> Self {
        self.with(
            "prediction",
            &serde_json::json!({"type": "content", "content": content.into()}),
        )
    }

    /// Settings for models that search by themselves.
    #[must_use]
    pub fn web_search_options(self, options: impl Into<Value>) -> Self {
        self.with("web_search_options", &options.into())
    }

    /// What a stream brings beside the answer, such as `{"include_usage": true}`.
    #[must_use]
    pub fn stream_options(self, options: impl Into<Value>) -> Self {
        self.with("stream_options", &options.into())
    }

    /// When OpenRouter stops the loop of its own tools: conditions such as `{"type": "step_count_is", "step_count": 5}`, of which any one is
    /// enough.
    #[must_use]
    pub fn stop_server_tools_when(self, conditions: impl IntoIterator<Item = Value>) -> Self {
        let conditions: Vec<Value> = conditions.into_iter().collect();
        self.with("stop_server_tools_when", &conditions)
    }

    /// Tools that the model finds by a search, instead of reading all of them with each prompt.
    #[must_use]
    pub fn deferred_tools(self, options: impl Into<Value>) -> Self {
        self.with("deferred_tools", &options.into())
    }

    /// How pictures are made: their size and shape.
    #[must_use]
    pub fn image_config(self, options: impl Into<Value>) -> Self {
        self.with("image_config", &options.into())
    }

    /// How the provider caches the prompt.
    #[must_use]
    pub fn prompt_cache_options(self, options: impl Into<Value>) -> Self {
        self.with("prompt_cache_options", &options.into())
    }

    /// What OpenRouter echoes for debugging, such as `{"echo_upstream_body": true}`. Streams only.
    #[must_use]
    pub fn debug(self, options: impl Into<Value>) -> Self {
        self.with("debug", &options.into())
    }

    /// A key of the trace this belongs to, such as `trace_id`, `span_name` or one of the caller's own.
    #[must_use]
    pub fn trace(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut trace: BTreeMap<String, Value> = self.field("trace").ok().flatten().unwrap_or_default();
        trace.insert(key.into(), value.into());
        self.with("trace", &trace)
    }

    pub(super) fn with<T: Serialize + ?Sized>(mut self, field: &'static str, value: &T) -> Self {
        self.body.put(field, encode(value));
        self
    }
}
