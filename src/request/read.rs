//! Fields of a request, read when asked for.
//!
//! The short names write ([`ChatRequest::model`]), `read_` reads, `set_` writes in place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::chat::ChatRequest;
use openrouter_wire::request::RequestError;
use openrouter_wire::{
    chat::{Message, Plugin, ProviderPreferences, Reasoning, ResponseFormat, ServiceTier, Tool, ToolChoice},
    json::{Text, text},
};

impl ChatRequest {
    /// The messages. This builds all of them: a layer that only needs the facts of the content uses [`facts`](Self::facts).
    ///
    /// # Errors
    ///
    /// If a message has no role, or content that is neither text nor parts.
    pub fn messages(&self) -> Result<Vec<Message>, RequestError> {
        self.list("messages")
    }

    /// The fallback models.
    ///
    /// # Errors
    ///
    /// If they are not an array of strings.
    pub fn read_models(&self) -> Result<Vec<String>, RequestError> {
        self.list("models")
    }

    /// The tools.
    ///
    /// # Errors
    ///
    /// If they are not an array of tools.
    pub fn read_tools(&self) -> Result<Vec<Tool>, RequestError> {
        self.list("tools")
    }

    /// Whether and which tool must be called.
    ///
    /// # Errors
    ///
    /// None today: whatever is not known is kept as it is.
    pub fn read_tool_choice(&self) -> Result<Option<ToolChoice>, RequestError> {
        self.field("tool_choice")
    }

    /// The form of the answer.
    ///
    /// # Errors
    ///
    /// If it is not an object.
    pub fn read_response_format(&self) -> Result<Option<ResponseFormat>, RequestError> {
        self.field("response_format")
    }

    /// Which providers may serve.
    ///
    /// # Errors
    ///
    /// If it is not an object.
    pub fn read_provider(&self) -> Result<Option<ProviderPreferences>, RequestError> {
        self.field("provider")
    }

    /// How much the model thinks.
    ///
    /// # Errors
    ///
    /// If it is not an object, or a known field of it has another type.
    pub fn read_reasoning(&self) -> Result<Option<Reasoning>, RequestError> {
        self.field("reasoning")
    }

    /// The plugins.
    ///
    /// # Errors
    ///
    /// If they are not an array of objects with an id.
    pub fn read_plugins(&self) -> Result<Vec<Plugin>, RequestError> {
        self.list("plugins")
    }

    /// Pairs to find the request by in OpenRouter's logs.
    ///
    /// # Errors
    ///
    /// If they are not strings.
    pub fn read_metadata(&self) -> Result<BTreeMap<String, String>, RequestError> {
        self.field("metadata").map(Option::unwrap_or_default)
    }

    /// The tier of service.
    #[must_use]
    pub fn read_service_tier(&self) -> Option<ServiceTier> {
        self.text("service_tier").map(|tier| ServiceTier::from(&*tier))
    }

    /// The end user the request is made for.
    #[must_use]
    pub fn read_end_user(&self) -> Option<Cow<'_, str>> {
        self.text("user")
    }

    /// The session the request belongs to.
    #[must_use]
    pub fn read_session_id(&self) -> Option<Cow<'_, str>> {
        self.text("session_id")
    }

    fn text(&self, field: &str) -> Option<Cow<'_, str>> {
        self.read_raw(field).and_then(text).map(Text::to_str)
    }

    fn list<T: DeserializeOwned>(&self, field: &'static str) -> Result<Vec<T>, RequestError> {
        self.field(field).map(Option::unwrap_or_default)
    }

    pub(super) fn field<T: DeserializeOwned>(&self, field: &'static str) -> Result<Option<T>, RequestError> {
        let Some(raw) = self.read_raw(field) else {
            return Ok(None);
        };
        serde_json::from_slice(raw).map_err(|error| RequestError::Field {
            field,
            line: error.line(),
            column: error.column(),
        })
    }
}
