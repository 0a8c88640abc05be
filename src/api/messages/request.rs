//! The request itself.

use bytes::Bytes;
use http::Request;
use tower_llm_layers::{CacheKey, Continuable, KeyWriter};

use super::super::{Api, ApiRequest, request::post};
use crate::{
    request::{
        Document, RequestBody, RequestError, RequestFacts, Shape, forbids_retention, is_irrelevant_header,
        reasoning_time, typed_request, write_document,
    },
    transport::Dialect,
    wire::{Segments, WireRequest},
};

/// A request for a message: Anthropic's API of a model.
///
/// It is the JSON object it goes out as, and nothing beside it: unknown fields stay.
///
/// ```
/// use tower_openrouter::MessagesRequest;
///
/// let request: MessagesRequest = r#"{"model":"anthropic/claude-sonnet-4.5","max_tokens":200,
///     "messages":[{"role":"user","content":"Why is the sky blue?"}]}"#.parse()?;
/// assert_eq!(request.get_max_tokens(), Some(200));
/// # Ok::<(), tower_openrouter::request::RequestError>(())
/// ```
#[derive(Clone)]
pub struct MessagesRequest {
    body: RequestBody,
}

/// In which fields it says what layers ask.
const SHAPE: Shape = Shape {
    limits: &["max_tokens"],
    content: &["system", "messages"],
    fact_fields: &["system", "messages", "tools"],
    facts: RequestFacts::of_size,
    reasoning_time,
};

impl MessagesRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        Ok(Self::from_document(Document::parse(body.into())?))
    }

    fn from_document(document: Document) -> Self {
        Self {
            body: RequestBody::new(document, &SHAPE),
        }
    }

    /// As the body of an HTTP request, which is what a stack takes.
    #[must_use]
    pub fn into_http(self) -> Request<ApiRequest> {
        post(Api::Messages, self.into())
    }

    /// Limits the answer, reasoning included, to so many tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.set_max_tokens(tokens);
        self
    }

    /// The same as a stream; `None` if it is one.
    fn streamed(&self) -> Option<Self> {
        (!self.is_streaming()).then(|| self.clone().stream(true))
    }
}

typed_request!(MessagesRequest);

impl Continuable for MessagesRequest {
    /// No other call can continue it.
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}

impl CacheKey for MessagesRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(if self.is_streaming() {
            b"messages stream"
        } else {
            b"messages"
        });
        write_document(self.document(), key);
    }

    fn asked_temperature(&self) -> Option<f64> {
        self.body.temperature()
    }

    fn may_be_kept(&self) -> bool {
        !forbids_retention(self.document())
    }

    fn ignores_header(&self, name: &http::HeaderName) -> bool {
        is_irrelevant_header(name)
    }
}

impl WireRequest for MessagesRequest {
    fn path(&self) -> &'static str {
        Api::Messages.path()
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Messages)
    }

    fn segments(&self, _dialect: Dialect) -> Segments {
        Self::segments(self).collect()
    }
}
