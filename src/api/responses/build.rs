//! A request for a response, written field by field.

use serde::Serialize;
use serde_json::{Value, json};

use super::ResponsesRequest;
use crate::request::{encode, setters};
use openrouter_wire::chat::{CacheControl, ProviderPreferences, Reasoning, ServiceTier};
use openrouter_wire::document::Document;

impl ResponsesRequest {
    /// A request with this text of a user.
    ///
    /// ```
    /// use tower_openrouter::{ResponsesRequest, request::Reasoning};
    ///
    /// let request = ResponsesRequest::text("Why is the sky blue?")
    ///     .instructions("Answer in one sentence.")
    ///     .model("openai/gpt-5")
    ///     .max_output_tokens(200)
    ///     .reasoning(Reasoning::effort("low"));
    /// assert_eq!(request.read_max_tokens(), Some(200));
    /// ```
    #[must_use]
    pub fn text(text: impl AsRef<str>) -> Self {
        let mut document = Document::new();
        document.set("input", encode(text.as_ref()));
        Self::from_document(document)
    }

    /// A request with these items: messages, calls of tools, their results, what an earlier answer had in its `output`.
    #[must_use]
    pub fn items(items: impl IntoIterator<Item = Value>) -> Self {
        let items: Vec<Value> = items.into_iter().collect();
        let mut document = Document::new();
        document.set("input", encode(&items));
        Self::from_document(document)
    }

    setters! {
        /// How freely tokens are drawn, 0 to 2.
        temperature(f64) = "temperature";
        /// Draws from the likeliest tokens that make up this share, 0 to 1.
        top_p(f64) = "top_p";
        /// Whether several tools may be called at once; they may, by default.
        parallel_tool_calls(bool) = "parallel_tool_calls";
        /// How much the model thinks.
        reasoning(Reasoning) = "reasoning";
        /// Which providers may serve.
        provider(ProviderPreferences) = "provider";
        /// Caches the prompt by itself, the way Anthropic's models do.
        cache_control(CacheControl) = "cache_control";
        /// The most calls of tools that the upstream itself may run.
        max_tool_calls(u64) = "max_tool_calls";
        /// Whether the upstream keeps the response, so that a later request can continue it; OpenAI does by default. OpenRouter keeps none: `true` is refused
        /// there before anything is sent.
        store(bool) = "store";
    }

    /// What happens to an input that is longer than the model's context: `"disabled"`, an error, by default; `"auto"` drops the oldest items.
    #[must_use]
    pub fn truncation(self, way: impl AsRef<str>) -> Self {
        self.with("truncation", way.as_ref())
    }

    /// Further parts of the response, e.g. `"reasoning.encrypted_content"`.
    #[must_use]
    pub fn include<S: Into<String>>(self, parts: impl IntoIterator<Item = S>) -> Self {
        let parts: Vec<String> = parts.into_iter().map(Into::into).collect();
        self.with("include", &parts)
    }

    /// Continues a response that the upstream keeps. OpenRouter keeps none and is sent no such request: give it the earlier items.
    #[must_use]
    pub fn previous_response_id(self, id: impl AsRef<str>) -> Self {
        self.with("previous_response_id", id.as_ref())
    }

    /// A stable id of the end user, such as a hash, by which the upstream attributes abuse.
    #[must_use]
    pub fn safety_identifier(self, id: impl AsRef<str>) -> Self {
        self.with("safety_identifier", id.as_ref())
    }

    /// The system prompt, before the input.
    #[must_use]
    pub fn instructions(self, text: impl AsRef<str>) -> Self {
        self.with("instructions", text.as_ref())
    }

    /// Tools the model may call, e.g. `{"type":"function","name":…,"parameters":…}`. They must come again with every turn.
    #[must_use]
    pub fn tools(self, tools: impl IntoIterator<Item = Value>) -> Self {
        self.with("tools", &tools.into_iter().collect::<Vec<Value>>())
    }

    /// Whether and which tool must be called: `"auto"`, `"required"`, or an object that names one.
    #[must_use]
    pub fn tool_choice(self, choice: impl Into<Value>) -> Self {
        self.with("tool_choice", &choice.into())
    }

    /// Asks for an answer that keeps to this JSON schema.
    #[must_use]
    pub fn json_schema(self, name: impl AsRef<str>, schema: impl Into<Value>) -> Self {
        let (name, schema) = (name.as_ref(), schema.into());
        let format = json!({"type": "json_schema", "name": name, "strict": true, "schema": schema});
        self.with("text", &json!({"format": format}))
    }

    /// The tier of service.
    #[must_use]
    pub fn service_tier(self, tier: impl Into<ServiceTier>) -> Self {
        self.with("service_tier", &tier.into())
    }

    fn with<T: Serialize + ?Sized>(mut self, field: &'static str, value: &T) -> Self {
        self.body.put(field, encode(value));
        self
    }
}
