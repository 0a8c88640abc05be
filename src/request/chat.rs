//! The request itself.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tower_llm_layers::Call;

use super::check::check;
use super::document::{Document, Segments};
use super::error::RequestError;
use super::facts::{self, FACT_FIELDS, RequestFacts};
use super::scan::Cursor;

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
/// assert_eq!(request.get_model(), Some("openai/gpt-5"));
///
/// // A body from somewhere else keeps its form, and its unknown fields.
/// let body = r#"{ "messages": [{"role": "user", "content": "Hi"}], "new_field": [1, 2] }"#;
/// let request: ChatRequest = body.parse()?;
/// assert_eq!(request.to_bytes(), body);
/// # Ok::<(), tower_openrouter::request::RequestError>(())
/// ```
#[derive(Clone)]
pub struct ChatRequest {
    inner: Arc<Inner>,
    pub(super) call: Call,
    /// How long OpenRouter may keep the answer.
    pub(super) kept_for: Option<Duration>,
}

#[derive(Clone)]
struct Inner {
    document: Document,
    model: Option<Arc<str>>,
    stream: bool,
    max_tokens: Option<u64>,
    facts: OnceLock<RequestFacts>,
}

impl ChatRequest {
    /// Reads a request from the body of a call, in one pass.
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, has nothing to answer, or if `model`, `models`, `stream`, `max_tokens` or `max_completion_tokens` is not what
    /// it must be. Nothing else is checked: upstream knows its fields better.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let document = Document::parse(body.into())?;
        check(&document)?;
        Ok(Self::from_document(document))
    }

    pub(super) fn from_document(document: Document) -> Self {
        let mut inner = Inner {
            document,
            model: None,
            stream: false,
            max_tokens: None,
            facts: OnceLock::new(),
        };
        inner.refresh("model");
        inner.refresh("stream");
        inner.refresh("max_tokens");
        Self {
            inner: Arc::new(inner),
            call: Call::default(),
            kept_for: None,
        }
    }

    /// The requested model; `None` if it is the account's default.
    #[must_use]
    pub fn get_model(&self) -> Option<&str> {
        self.inner.model.as_deref()
    }

    /// The model asked for, to be kept.
    #[must_use]
    pub fn get_model_shared(&self) -> Option<Arc<str>> {
        self.inner.model.clone()
    }

    /// Whether the answer is to come as a stream.
    #[must_use]
    pub fn is_streaming(&self) -> bool {
        self.inner.stream
    }

    /// How many tokens the answer may have, whichever of the two fields says so.
    #[must_use]
    pub fn get_max_tokens(&self) -> Option<u64> {
        self.inner.max_tokens
    }

    /// What a model must be able to do to serve this. Read once, at the first call, in one pass over the messages.
    #[must_use]
    pub fn facts(&self) -> &RequestFacts {
        self.inner
            .facts
            .get_or_init(|| RequestFacts::read(&self.inner.document))
    }

    /// The object this is.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.inner.document
    }

    /// The body as it goes out, without a copy. One segment, the one that came in, if nothing was changed.
    #[must_use]
    pub fn segments(&self) -> Segments {
        self.inner.document.segments()
    }

    /// The body as it goes out, in one piece.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.inner.document.to_bytes()
    }

    /// The length of the body in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a body is never shorter than its two braces")]
    pub fn len(&self) -> usize {
        self.inner.document.len()
    }

    /// All changes go through here: clones of this request keep what they had.
    fn edit(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.inner)
    }

    /// Writes a field.
    pub(super) fn put(&mut self, field: &'static str, value: Bytes) {
        let inner = self.edit();
        inner.document.set(field, value);
        inner.refresh(field);
    }

    /// Writes a field whose name is not known beforehand.
    pub(super) fn put_named(&mut self, field: &str, value: Bytes) {
        let inner = self.edit();
        inner.document.set(field.to_owned(), value);
        inner.refresh(field);
    }

    pub(super) fn take(&mut self, field: &str) -> bool {
        if !self.inner.document.has(field) {
            return false;
        }
        let inner = self.edit();
        let removed = inner.document.remove(field);
        inner.refresh(field);
        removed
    }

    /// Writes the model, its name already at hand.
    pub(super) fn put_model(&mut self, model: Arc<str>, json: Bytes) {
        let inner = self.edit();
        inner.document.set("model", json);
        inner.model = Some(model);
    }
}

impl Inner {
    /// Brings what is kept at hand in step with a field that was changed.
    fn refresh(&mut self, field: &str) {
        match field {
            "model" => {
                self.model = self
                    .document
                    .get("model")
                    .and_then(facts::text)
                    .map(|model| model.to_str().into());
            }
            "stream" => self.stream = self.document.get("stream") == Some(b"true"),
            "max_tokens" | "max_completion_tokens" => {
                let read = |field| {
                    self.document
                        .get(field)
                        .and_then(|raw| Cursor::new(raw).u64_or_skip().ok().flatten())
                };
                self.max_tokens = read("max_completion_tokens").or_else(|| read("max_tokens"));
            }
            _ if FACT_FIELDS.contains(&field) => {
                self.facts.take();
            }
            _ => {}
        }
    }
}

impl FromStr for ChatRequest {
    type Err = RequestError;

    fn from_str(body: &str) -> Result<Self, RequestError> {
        Self::from_json(Bytes::copy_from_slice(body.as_bytes()))
    }
}

impl TryFrom<&str> for ChatRequest {
    type Error = RequestError;

    fn try_from(body: &str) -> Result<Self, RequestError> {
        body.parse()
    }
}

impl TryFrom<Bytes> for ChatRequest {
    type Error = RequestError;

    fn try_from(body: Bytes) -> Result<Self, RequestError> {
        Self::from_json(body)
    }
}

impl PartialEq for ChatRequest {
    /// Whether both go out as the same bytes.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner) || self.to_bytes() == other.to_bytes()
    }
}

impl fmt::Debug for ChatRequest {
    /// The model and the size of the request; never its content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatRequest")
            .field("model", &self.get_model())
            .field("stream", &self.inner.stream)
            .field("max_tokens", &self.inner.max_tokens)
            .field(
                "message_bytes",
                &self.inner.document.get("messages").map_or(0, <[u8]>::len),
            )
            .field("fields", &self.inner.document.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Serialize for ChatRequest {
    /// Writes the request with `serde_json`, as the text it is.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;

        let text = String::from_utf8(self.to_bytes().into()).map_err(S::Error::custom)?;
        RawValue::from_string(text)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ChatRequest {
    /// Reads a request with `serde_json`, keeping its text as it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(Box::<str>::from(raw).into_boxed_bytes()).map_err(D::Error::custom)
    }
}
