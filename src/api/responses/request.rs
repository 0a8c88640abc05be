//! The request itself.

use bytes::Bytes;
use tower_llm_layers::Continuable;

use super::super::{Api, whole_request::whole_request};
use crate::{
    BodySegments, WireRequest,
    dialect::Dialect,
    request::{Gives, RequestBody, Shape, typed_request},
};
use openrouter_wire::{
    document::Document,
    request::{RequestError, check::shape},
    responses::{check, facts},
};

/// A request for a response: OpenAI's second API of a model.
///
/// It is the JSON object it goes out as, and nothing beside it: unknown fields stay.
///
/// ```
/// use tower_openrouter::ResponsesRequest;
///
/// let request: ResponsesRequest = r#"{"model":"openai/gpt-5","input":"Why is the sky blue?"}"#.parse()?;
/// assert_eq!(request.read_model(), Some("openai/gpt-5"));
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
    reasoning_time: openrouter_wire::request::reasoning_time,
    reasoning_level: openrouter_wire::request::reasoning_level,
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

    /// Limits the answer, reasoning included, to so many tokens.
    #[must_use]
    pub fn max_output_tokens(mut self, tokens: u64) -> Self {
        self.set_max_tokens(tokens);
        self
    }
}

typed_request!(ResponsesRequest);
whole_request!(
    ResponsesRequest,
    Api::Responses,
    &SHAPE,
    b"responses",
    b"responses stream"
);

impl Continuable for ResponsesRequest {
    /// No other call can continue it: its events name items of one response.
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}

impl WireRequest for ResponsesRequest {
    fn path(&self) -> &'static str {
        Api::Responses.path()
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Responses)
    }

    fn segments(&self, dialect: Dialect) -> BodySegments {
        self.body.segments_without(match dialect {
            Dialect::OpenRouter => &[],
            Dialect::OpenAi | Dialect::Anthropic => OPENROUTER_ONLY,
        })
    }

    fn check_for(&self, dialect: Dialect) -> Result<(), RequestError> {
        check_for(self.document(), dialect)
    }
}

/// What an upstream that understands this cannot take, whatever the model: OpenRouter keeps no responses.
fn check_for(document: &Document, dialect: Dialect) -> Result<(), RequestError> {
    if dialect != Dialect::OpenRouter {
        return Ok(());
    }
    if document.get("store") == Some(b"true") {
        return Err(RequestError::Shape {
            field: "store",
            found: "true",
            expected: "false",
            fix: "OpenRouter keeps no responses: send false, or leave it out",
        });
    }
    let of_the_kept = [
        ("previous_response_id", "send the earlier items in `input`"),
        ("conversation", "send the earlier items in `input`"),
    ];
    for (field, fix) in of_the_kept {
        if let Some(found) = shape(document, field) {
            return Err(RequestError::shape(
                field,
                found,
                "null, as OpenRouter keeps no responses",
                fix,
            ));
        }
    }
    Ok(())
}
