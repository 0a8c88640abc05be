//! A request for a message, written field by field.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::MessagesRequest;
use crate::request::{encode, setters};
use openrouter_wire::chat::{CacheControl, ProviderPreferences};
use openrouter_wire::document::Document;

impl MessagesRequest {
    /// A request with one message of a user, for an answer of at most so many tokens: the API requires a limit.
    ///
    /// ```
    /// use tower_openrouter::MessagesRequest;
    ///
    /// let request = MessagesRequest::user("Why is the sky blue?", 200)
    ///     .system("Answer in one sentence.")
    ///     .model("anthropic/claude-sonnet-4.5");
    /// assert_eq!(request.read_max_tokens(), Some(200));
    /// ```
    #[must_use]
    pub fn user(text: impl AsRef<str>, max_tokens: u64) -> Self {
        Self::new([json!({"role": "user", "content": text.as_ref()})], max_tokens)
    }

    /// A request with these messages, for an answer of at most so many tokens.
    #[must_use]
    pub fn new(messages: impl IntoIterator<Item = Value>, max_tokens: u64) -> Self {
        let messages: Vec<Value> = messages.into_iter().collect();
        let mut document = Document::new();
        document.set("messages", encode(&messages));
        let mut request = Self::from_document(document);
        request.set_max_tokens(max_tokens);
        request
    }

    setters! {
        /// How freely tokens are drawn, 0 to 1. Newer versions of the API refuse it.
        temperature(f64) = "temperature";
        /// Draws from the likeliest tokens that make up this share, 0 to 1. Newer versions of the API refuse it.
        top_p(f64) = "top_p";
        /// Draws from this many of the likeliest tokens. Newer versions of the API refuse it.
        top_k(u64) = "top_k";
        /// Which providers may serve.
        provider(ProviderPreferences) = "provider";
        /// Caches the prompt by itself.
        cache_control(CacheControl) = "cache_control";
    }

    /// The system prompt.
    #[must_use]
    pub fn system(self, text: impl AsRef<str>) -> Self {
        self.with("system", text.as_ref())
    }

    /// Tools the model may call, e.g. `{"name":…,"input_schema":…}`. They must come again with every turn.
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = Value>) -> Self {
        self.with("tools", &tools.into_iter().collect::<Vec<Value>>())
    }

    /// Whether and which tool must be called, e.g. `{"type":"any"}`.
    #[must_use]
    pub fn tool_choice(self, choice: impl Into<Value>) -> Self {
        self.with("tool_choice", &choice.into())
    }

    /// Lets the model think, with so many tokens at most.
    #[must_use]
    pub fn thinking(self, budget_tokens: u64) -> Self {
        self.with("thinking", &json!({"type": "enabled", "budget_tokens": budget_tokens}))
    }

    /// What the answer is made with: `effort`, such as `{"effort":"low"}`, and `format`, which [`json_schema`](Self::json_schema) writes. It replaces
    /// what was set before.
    #[must_use]
    pub fn output_config(self, config: impl Into<Value>) -> Self {
        self.with("output_config", &config.into())
    }

    /// Asks for an answer that keeps to this JSON schema: the `format` of [`output_config`](Self::output_config), whose other members stay.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_openrouter::MessagesRequest;
    ///
    /// let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": false});
    /// let request = MessagesRequest::user("Which city is the largest?", 200).json_schema(schema);
    /// assert!(request.facts().structured_outputs);
    /// ```
    #[must_use]
    pub fn json_schema(self, schema: impl Into<Value>) -> Self {
        let schema: Value = schema.into();
        let before = self.read_raw("output_config");
        let mut config: Map<String, Value> = before
            .and_then(|raw| serde_json::from_slice(raw).ok())
            .unwrap_or_default();
        config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
        self.with("output_config", &config)
    }

    /// Texts at which the answer ends.
    #[must_use]
    pub fn stop_sequences<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(Into::into).collect();
        self.with("stop_sequences", &texts)
    }

    fn with<T: Serialize + ?Sized>(mut self, field: &'static str, value: &T) -> Self {
        self.body.put(field, encode(value));
        self
    }
}
