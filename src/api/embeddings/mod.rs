//! Embeddings through the same stack.

use bytes::Bytes;
use http::{HeaderName, Request};
use tower_llm_layers::{Budgeted, CacheKey, Call, Continuable, KeyWriter, LlmRequest, Needs, Route};

use super::{Api, ApiRequest, request::post};
use crate::{
    request::{Document, JsonError, forbids_retention, is_irrelevant_header, pinned_by, write_document},
    transport::Dialect,
    wire::{Segments, WireRequest},
};

/// A request for embeddings: the same layers, another endpoint. Its answer is one frame.
///
/// ```
/// use tower_openrouter::EmbeddingRequest;
///
/// let request = EmbeddingRequest::new("openai/text-embedding-3-small", ["why is the sky blue?"]);
/// assert_eq!(request.into_http().uri(), "/embeddings");
/// ```
#[derive(Debug, Clone)]
pub struct EmbeddingRequest {
    document: Document,
    model: Option<Box<str>>,
    call: Call,
}

impl EmbeddingRequest {
    /// These texts, by this model.
    pub fn new<T: AsRef<str>>(model: &str, texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<_> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
        let mut request = Self {
            document: Document::default(),
            model: None,
            call: Call::default(),
        };
        request.document.set("input", json(&texts));
        request.set_model(model);
        request
    }

    /// From a JSON body, kept as it came.
    ///
    /// # Errors
    ///
    /// If it is no JSON object.
    pub fn from_json(body: Bytes) -> Result<Self, JsonError> {
        let document = Document::parse(body)?;
        let model = document
            .get("model")
            .and_then(|raw| serde_json::from_slice::<Option<Box<str>>>(raw).ok());
        Ok(Self {
            model: model.flatten(),
            document,
            call: Call::default(),
        })
    }

    /// Sets any field.
    ///
    /// # Errors
    ///
    /// If the value cannot be written as JSON.
    pub fn field(mut self, name: &str, value: impl serde::Serialize) -> Result<Self, serde_json::Error> {
        self.document.set(name.to_owned(), serde_json::to_vec(&value)?.into());
        Ok(self)
    }

    pub(crate) const fn document(&self) -> &Document {
        &self.document
    }

    /// As the body of an HTTP request.
    #[must_use]
    pub fn into_http(self) -> Request<ApiRequest> {
        post(Api::Embeddings, self.into())
    }
}

/// Strings always serialise.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

impl LlmRequest for EmbeddingRequest {
    fn call(&self) -> &Call {
        &self.call
    }

    fn call_mut(&mut self) -> &mut Call {
        &mut self.call
    }

    fn operation(&self) -> &'static str {
        "embeddings"
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    fn set_model(&mut self, model: &str) {
        self.document.set("model", json(model));
        self.model = Some(model.into());
    }

    fn pinned_route(&self) -> Route {
        pinned_by(&self.document)
    }

    /// A token has four bytes of text or so, and one at least.
    fn needs(&self) -> Needs {
        let size = self.document.segments().map(|segment| segment.len()).sum::<usize>();
        let bytes = u64::try_from(size).unwrap_or(u64::MAX);
        Needs::of_prompt(bytes.div_ceil(4), bytes)
    }

    /// An embedding has no tokens of answer.
    fn max_tokens(&self) -> Option<u64> {
        Some(0)
    }
}

impl Budgeted for EmbeddingRequest {
    /// There is nothing to shorten.
    fn set_max_tokens(&mut self, _tokens: u64) -> bool {
        false
    }
}

impl Continuable for EmbeddingRequest {
    /// It comes whole or not at all.
    fn continue_after(&self, _shown: &str) -> Option<Self> {
        None
    }
}

/// As that of a [`ChatRequest`](crate::ChatRequest). Embeddings have no chance in them, so they count as asked for at temperature 0.
impl CacheKey for EmbeddingRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        key.part(b"embeddings");
        write_document(self.document(), key);
    }

    fn asked_temperature(&self) -> Option<f64> {
        Some(0.0)
    }

    fn may_be_kept(&self) -> bool {
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

    fn segments(&self, dialect: Dialect) -> Segments {
        match dialect {
            Dialect::OpenRouter => self.document.segments().collect(),
            Dialect::OpenAi | Dialect::Anthropic => {
                let mut plain = self.document.clone();
                for field in ["provider", "input_type"] {
                    plain.remove(field);
                }
                plain.segments().collect()
            }
        }
    }
}
