//! The request itself.

use bytes::Bytes;
use http::Request;
use tower_llm_layers::{CacheKey, Continuable, KeyWriter};

use super::{
    super::{Api, ApiRequest, request::post},
    check::{check, check_for},
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

/// A request for a response: OpenAI's second API of a model.
///
/// It is the JSON object it goes out as, and nothing beside it: unknown fields stay.
///
/// ```
/// use tower_openrouter::ResponsesRequest;
///
/// let request: ResponsesRequest = r#"{"model":"openai/gpt-5","input":"Why is the sky blue?"}"#.parse()?;
/// assert_eq!(request.get_model(), Some("openai/gpt-5"));
/// # Ok::<(), tower_openrouter::request::RequestError>(())
/// ```
#[derive(Clone)]
pub struct ResponsesRequest {
    pub(super) body: RequestBody,
}

/// In which fields it says what layers ask.
const SHAPE: Shape = Shape {
    gives: Gives::Text,
    limits: &["max_output_tokens"],
    content: &["instructions", "input"],
    fact_fields: facts::FIELDS,
    facts: facts::read,
    reasoning_time: crate::request::facts::reasoning_time,
};

/// Fields that only OpenRouter reads.
const OPENROUTER_ONLY: &[&str] = &[
    "models",
    "provider",
    "plugins",
    "session_id",
    "trace",
    "route",
    "debug",
    "image_config",
    "modalities",
    "cache_control",
    "stop_server_tools_when",
    "deferred_tools",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "stop",
];

impl ResponsesRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has nothing to answer, or if a field that is read here is not what it must be: the error names it.
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
        post(Api::Responses, self.into())
    }

    /// Limits the answer, reasoning included, to so many tokens.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u64) -> Self {
        self.set_max_tokens(tokens);
        self
    }

    /// The same as a stream; `None` if it is one.
    fn streamed(&self) -> Option<Self> {
        (!self.is_streaming()).then(|| self.clone().stream(true))
    }
}

typed_request!(ResponsesRequest);

impl Continuable for ResponsesRequest {
    /// No other call can continue it.
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}

impl CacheKey for ResponsesRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(if self.is_streaming() {
            b"responses stream"
        } else {
            b"responses"
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

impl WireRequest for ResponsesRequest {
    fn path(&self) -> &'static str {
        Api::Responses.path()
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Responses)
    }

    fn segments(&self, dialect: Dialect) -> Segments {
        self.body.segments_without(match dialect {
            Dialect::OpenRouter => &[],
            Dialect::OpenAi | Dialect::Anthropic => OPENROUTER_ONLY,
        })
    }

    fn check_for(&self, dialect: Dialect) -> Result<(), RequestError> {
        check_for(self.document(), dialect)
    }
}
