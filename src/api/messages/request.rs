//! The request itself.

use bytes::Bytes;
use http::Request;
use tower_llm_layers::{CacheKey, Continuable, KeyWriter};

use super::{
    super::{Api, ApiRequest, request::post},
    check::check,
    facts,
};
use crate::{
    request::{
        Document, Gives, RequestBody, RequestError, Shape, forbids_retention, is_irrelevant_header, typed_request,
        write_document,
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
    pub(super) body: RequestBody,
}

/// In which fields it says what layers ask.
const SHAPE: Shape = Shape {
    gives: Gives::Text,
    limits: &["max_tokens"],
    content: &["system", "messages"],
    fact_fields: facts::FIELDS,
    facts: facts::read,
    reasoning_time: facts::reasoning_time,
};

/// Fields that only OpenRouter reads: Anthropic answers 400 to them.
const OPENROUTER_ONLY: &[&str] = &[
    "models",
    "provider",
    "plugins",
    "session_id",
    "user",
    "trace",
    "route",
    "stop_server_tools_when",
    "deferred_tools",
    "fallbacks",
];

impl MessagesRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has no `messages` or no `max_tokens`, or if a field that is read here is not what it must be: the error
    /// names it.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let document = Document::parse(body.into())?;
        check(&document)?;
        Ok(Self::from_document(document))
    }

    pub(super) fn from_document(document: Document) -> Self {
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

    fn segments(&self, dialect: Dialect) -> Segments {
        self.body.segments_without(match dialect {
            Dialect::OpenRouter => &[],
            Dialect::OpenAi | Dialect::Anthropic => OPENROUTER_ONLY,
        })
    }
}
