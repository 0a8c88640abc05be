//! The request itself.

use std::time::Duration;

use bytes::Bytes;

use super::body::{Gives, RequestBody, Shape};
use super::typed::typed_request;
use openrouter_wire::{
    chat::{check, facts},
    document::Document,
    request::{RequestError, reasoning_level, reasoning_time},
};

/// A chat request.
///
/// It is the JSON object it goes out as, and nothing beside it. What a layer asks often (model, stream, limit of tokens) is kept at hand; everything else is
/// read when asked for. A clone shares everything with its original until one of the two is changed, and then all but the change.
///
/// ```
/// use tower_openrouter::request::{ChatRequest, Reasoning};
///
/// let request = ChatRequest::user("Why is the sky blue?")
///     .system("Answer in one sentence.")
///     .model("openai/gpt-5")
///     .max_tokens(200)
///     .reasoning(Reasoning::effort("low"));
/// assert_eq!(request.read_model(), Some("openai/gpt-5"));
///
/// // A body from somewhere else keeps its form, and its unknown fields.
/// let body = r#"{ "messages": [{"role": "user", "content": "Hi"}], "new_field": [1, 2] }"#;
/// let request: ChatRequest = body.parse()?;
/// assert_eq!(request.to_bytes(), body);
/// # Ok::<(), tower_openrouter::request::RequestError>(())
/// ```
#[derive(Clone)]
pub struct ChatRequest {
    pub(super) body: RequestBody,
    /// How long OpenRouter may keep the answer.
    pub(crate) kept_for: Option<Duration>,
}

/// In which fields a chat request says what layers ask.
const SHAPE: Shape = Shape {
    gives: Gives::Text,
    limits: &["max_completion_tokens", "max_tokens"],
    content: &["messages"],
    fact_fields: facts::FIELDS,
    facts: facts::read,
    reasoning_time,
    reasoning_level,
};

impl ChatRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has nothing to answer, or if `model`, `models`, `fallbacks`, `stream`, `max_tokens` or
    /// `max_completion_tokens` is not what it must be. Nothing else is checked: upstream knows its fields better.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let document = Document::parse(body.into())?;
        check(&document)?;
        Ok(Self::from_document(document))
    }

    pub(super) fn from_document(document: Document) -> Self {
        Self {
            body: RequestBody::new(document, &SHAPE),
            kept_for: None,
        }
    }

    /// The same as a stream; `None` if it is one, or if no stream can carry the answer.
    fn streamed(&self) -> Option<Self> {
        // It mends whole answers alone.
        let heals = self.read_raw("plugins").is_some_and(|plugins| {
            let name = b"response-healing";
            plugins.windows(name.len()).any(|part| part == name)
        });
        if self.is_streaming() || heals || self.facts().choices > 1 {
            return None;
        }
        Some(self.clone().stream(true))
    }
}

typed_request!(ChatRequest, instruct: instruct_to_continue);
