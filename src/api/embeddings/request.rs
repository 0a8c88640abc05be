//! A request for embeddings.

use bytes::Bytes;
use http::{HeaderName, Request};
use serde::Serialize;
use tower_llm_layers::{CacheKey, Continuable, KeyWriter};

use super::super::{Api, ApiRequest, request::post};
use crate::{
    BodySegments, Upstream, WireRequest,
    dialect::Dialect,
    request::{
        Gives, RequestBody, Shape, encode, forbids_retention, is_irrelevant_header, setters, typed_request,
        write_document,
    },
};
use openrouter_wire::request::{
    RequestError, RequestFacts,
    check::{common, filled, shape, text},
};
use openrouter_wire::{
    document::Document,
    embeddings::{VectorForm, count_inputs},
    json::{Found, is_text},
};

/// A request for embeddings: the same layers, another endpoint. Its answer is one frame.
///
/// ```
/// use tower_openrouter::EmbeddingRequest;
///
/// let request = EmbeddingRequest::new("openai/text-embedding-3-small", ["why is the sky blue?"]);
/// assert_eq!(request.into_http().uri(), "/embeddings");
/// ```
#[derive(Clone)]
pub struct EmbeddingRequest {
    body: RequestBody,
}

/// In which fields it says what layers ask.
const SHAPE: Shape = Shape {
    gives: Gives::Vectors,
    limits: &[],
    content: &["input", "messages"],
    fact_fields: &["input", "messages", "provider"],
    facts,
    reasoning_time: |_| None,
    reasoning_level: |_| None,
};

/// Fields that only OpenRouter takes.
const OPENROUTERS: [&str; 4] = ["provider", "models", "session_id", "trace"];

/// Fields of Voyage, Jina and Cohere that request vectors of other types than floats.
const OTHER_TYPES: [&str; 3] = ["output_dtype", "embedding_type", "embedding_types"];

const INPUT: &str = "send a text, or an array of texts";

/// What it asks of a model: messages are read as those of a chat, whose media are no text.
fn facts(document: &Document) -> RequestFacts {
    if shape(document, "messages").is_none() {
        return RequestFacts::of_size(document);
    }
    let chat = openrouter_wire::chat::facts::read(document);
    let mut facts = RequestFacts::default();
    facts.prompt_tokens = chat.prompt_tokens;
    facts.most_prompt_tokens = chat.most_prompt_tokens;
    facts.images = chat.images;
    facts.input = chat.input;
    facts
}

impl EmbeddingRequest {
    /// These texts, by this model.
    pub fn new<T: AsRef<str>>(model: &str, texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<_> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
        let mut document = Document::new();
        document.set("input", encode(&texts));
        let mut request = Self::from_document(document);
        request.set_model(model);
        request
    }

    /// From a JSON body, kept as it came.
    ///
    /// # Errors
    ///
    /// If it is no JSON object, has neither `input` nor the `messages` that some servers take in its place, or if a field that is read here
    /// is not what it must be: the error names it.
    pub fn from_json(body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let document = Document::parse(body.into())?;
        check_input(&document)?;
        text(&document, "encoding_format", "a string", "send \"float\" or \"base64\"")?;
        common(&document, &["dimensions"])?;
        Ok(Self::from_document(document))
    }

    fn from_document(document: Document) -> Self {
        Self {
            body: RequestBody::new(document, &SHAPE),
        }
    }

    setters! {
        /// How many numbers each vector is to have, if the model can shorten it.
        dimensions(u64) = "dimensions";
    }

    /// Asks for the vectors as base64, which is a third of the size on the wire. [`Vector`](crate::api::Vector) reads both.
    #[must_use]
    pub fn base64(self) -> Self {
        self.with("encoding_format", "base64")
    }

    /// Sets any field.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON.
    pub fn field(self, name: &str, value: impl Serialize) -> Result<Self, RequestError> {
        self.try_extra(name, &value)
    }

    /// As the body of an HTTP request.
    #[must_use]
    pub fn into_http(self) -> Request<ApiRequest> {
        post(Api::Embeddings, self.into())
    }

    fn with<T: Serialize + ?Sized>(mut self, field: &'static str, value: &T) -> Self {
        self.body.put(field, encode(value));
        self
    }

    /// It always comes whole.
    #[expect(
        clippy::unused_self,
        reason = "the requests of the other APIs answer by what they say"
    )]
    fn streamed(&self) -> Option<Self> {
        None
    }
}

typed_request!(EmbeddingRequest);

impl Continuable for EmbeddingRequest {
    /// It comes whole or not at all.
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}

fn check_input(document: &Document) -> Result<(), RequestError> {
    const MESSAGES: &str = "send messages such as [{\"role\":\"user\",\"content\":\"…\"}]";

    let has_messages = match shape(document, "messages") {
        Some(Found::Array) => filled(document, "messages", "messages", MESSAGES).map(|()| true)?,
        Some(found) => return Err(RequestError::shape("messages", found, "an array", MESSAGES)),
        None => false,
    };
    match shape(document, "input") {
        Some(Found::String) => Ok(()),
        Some(Found::Array) => filled(document, "input", "texts", INPUT),
        Some(found) => Err(RequestError::shape("input", found, "a string or an array", INPUT)),
        None if has_messages => Ok(()),
        None => Err(RequestError::Missing {
            field: "input",
            fix: INPUT,
        }),
    }
}

/// As that of a [`ChatRequest`](crate::ChatRequest). Embeddings have no chance in them, so they count as asked for at temperature 0.
impl CacheKey for EmbeddingRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(b"embeddings");
        write_document(self.document(), key);
    }

    fn requested_temperature(&self) -> Option<f64> {
        Some(0.0)
    }

    fn is_cacheable(&self) -> bool {
        !forbids_retention(self.document())
    }

    fn ignores_header(&self, name: &HeaderName) -> bool {
        is_irrelevant_header(name)
    }
}

impl WireRequest for EmbeddingRequest {
    fn path(&self) -> &'static str {
        Api::Embeddings.path()
    }

    fn api(&self) -> Option<Api> {
        Some(Api::Embeddings)
    }

    fn segments(&self, dialect: Dialect) -> BodySegments {
        self.body.segments_without(match dialect {
            Dialect::OpenRouter => &[],
            Dialect::OpenAi | Dialect::Anthropic => &OPENROUTERS,
        })
    }

    /// OpenAI takes no `input_type`, which is a field of Cohere, NVIDIA and Voyage as well as of OpenRouter.
    fn segments_for(&self, upstream: &Upstream) -> BodySegments {
        if upstream.is_openai() {
            return self
                .body
                .segments_without(&[&OPENROUTERS[..], &["input_type"]].concat());
        }
        WireRequest::segments(self, upstream.dialect())
    }

    /// OpenAI's SDK for JavaScript asks for base64 by default, and takes whatever comes for that.
    fn vector_form(&self) -> Option<VectorForm> {
        let document = self.document();
        let told = |name: &str| document.get(name).filter(|value| *value != b"null");
        // Of other numbers than floats neither form is known.
        if OTHER_TYPES
            .iter()
            .filter_map(|name| told(name))
            .any(|kind| !is_text(kind, "float"))
        {
            return None;
        }
        match told("encoding_format") {
            None => Some(VectorForm::Numbers),
            Some(form) if is_text(form, "float") => Some(VectorForm::Numbers),
            Some(form) if is_text(form, "base64") => Some(VectorForm::Base64),
            Some(_) => None,
        }
    }

    fn input_count(&self) -> Option<usize> {
        count_inputs(self.document().get("input")?)
    }

    /// OpenRouter reads no messages in place of the input.
    fn check_for(&self, dialect: Dialect) -> Result<(), RequestError> {
        if dialect == Dialect::OpenRouter && shape(self.document(), "input").is_none() {
            return Err(RequestError::Missing {
                field: "input",
                fix: INPUT,
            });
        }
        Ok(())
    }
}
