//! The request itself.

use bytes::Bytes;

use super::super::{Api, whole_request::whole_request};
use crate::{
    BodySegments, WireRequest,
    dialect::Dialect,
    request::{Gives, RequestBody, Shape, typed_request},
};
use openrouter_wire::document::Document;
use openrouter_wire::messages::{check, facts};
use openrouter_wire::request::{RequestError, check::shape};

/// A request for a message: Anthropic's API of a model.
///
/// It is the JSON object it goes out as, and nothing beside it: unknown fields stay.
///
/// ```
/// use tower_openrouter::MessagesRequest;
///
/// let request: MessagesRequest = r#"{"model":"anthropic/claude-sonnet-4.5","max_tokens":200,
///     "messages":[{"role":"user","content":"Why is the sky blue?"}]}"#.parse()?;
/// assert_eq!(request.read_max_tokens(), Some(200));
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
    reasoning_level: facts::reasoning_level,
};

/// Fields that only OpenRouter reads: Anthropic answers 400 to them. `fallbacks` is Anthropic's own as well.
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
];

impl MessagesRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has no `messages`, or if a field that is read here is not what it must be: the error names it. Without
    /// `max_tokens` only Anthropic itself does not take it.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let document = Document::parse(body.into())?;
        check(&document)?;
        Ok(Self::from_document(document))
    }

    /// Limits the answer, reasoning included, to so many tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.set_max_tokens(tokens);
        self
    }
}

typed_request!(MessagesRequest, instruct: instruct_to_continue);
whole_request!(MessagesRequest, Api::Messages, &SHAPE, b"messages", b"messages stream");

impl WireRequest for MessagesRequest {
    fn path(&self) -> &'static str {
        Api::Messages.path()
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Messages)
    }

    fn segments(&self, dialect: Dialect) -> BodySegments {
        self.body.segments_without(match dialect {
            Dialect::OpenRouter => &[],
            Dialect::OpenAi | Dialect::Anthropic => OPENROUTER_ONLY,
        })
    }

    /// OpenRouter has a default for `max_tokens`, Anthropic has none.
    fn check_for(&self, dialect: Dialect) -> Result<(), RequestError> {
        if dialect == Dialect::Anthropic && shape(self.document(), "max_tokens").is_none() {
            return Err(RequestError::Missing {
                field: "max_tokens",
                fix: "send how many tokens the answer may have",
            });
        }
        Ok(())
    }
}
