//! Any request that a stack takes: a chat or an embedding.

use std::time::Duration;

use http::{HeaderName, Request};
use tower_llm_layers::{
    Budgeted, CacheKey, Call, Candidate, Continuable, ContinueBy, KeyWriter, LlmRequest, Needs, Route, UsdAmount,
};

use super::ChatRequest;
use crate::{
    EmbeddingRequest,
    body::Completeness,
    transport::Dialect,
    wire::{Segments, WireRequest},
};

/// A request to an API of a model: what a [`Stack`](crate::Stack) takes. Typed requests convert into it.
///
/// It is the typed request's own JSON document and [`Call`]; a clone costs what a clone of that costs.
///
/// ```
/// use tower_openrouter::{ApiRequest, ChatRequest, EmbeddingRequest};
///
/// let chat = ApiRequest::from(ChatRequest::user("Hi"));
/// assert!(chat.as_chat().is_some());
/// let texts = ApiRequest::from(EmbeddingRequest::new("openai/text-embedding-3-small", ["Hi"]));
/// assert!(texts.as_chat().is_none());
/// ```
#[derive(Debug, Clone)]
pub struct ApiRequest(Api);

#[derive(Debug, Clone)]
enum Api {
    Chat(ChatRequest),
    Embedding(EmbeddingRequest),
}

/// The same expression for whichever request it is.
macro_rules! each {
    ($request:expr, $body:ident => $value:expr) => {
        match $request {
            Api::Chat($body) => $value,
            Api::Embedding($body) => $value,
        }
    };
}

impl ApiRequest {
    /// The chat request; `None` if it is another one.
    #[must_use]
    pub const fn as_chat(&self) -> Option<&ChatRequest> {
        match &self.0 {
            Api::Chat(chat) => Some(chat),
            Api::Embedding(_) => None,
        }
    }

    /// The chat request, to be changed; `None` if it is another one.
    #[must_use]
    pub const fn as_chat_mut(&mut self) -> Option<&mut ChatRequest> {
        match &mut self.0 {
            Api::Chat(chat) => Some(chat),
            Api::Embedding(_) => None,
        }
    }

    /// The request for embeddings; `None` if it is another one.
    #[must_use]
    pub const fn as_embedding(&self) -> Option<&EmbeddingRequest> {
        match &self.0 {
            Api::Embedding(embedding) => Some(embedding),
            Api::Chat(_) => None,
        }
    }

    /// Asks for the answer as a stream, or whole. Embeddings always come whole.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        match self.0 {
            Api::Chat(chat) => Self(Api::Chat(chat.stream(stream))),
            Api::Embedding(_) => self,
        }
    }

    /// As the body of an HTTP request, which is what a stack takes.
    #[must_use]
    pub fn into_http(self) -> Request<Self> {
        match self.0 {
            Api::Chat(chat) => chat.into_http(),
            Api::Embedding(embedding) => embedding.into_http(),
        }
    }
}

impl From<ChatRequest> for ApiRequest {
    fn from(chat: ChatRequest) -> Self {
        Self(Api::Chat(chat))
    }
}

impl From<EmbeddingRequest> for ApiRequest {
    fn from(embedding: EmbeddingRequest) -> Self {
        Self(Api::Embedding(embedding))
    }
}

/// What the methods of a stack take: a typed request, or an HTTP request with one as its body, whose headers and extensions go along.
pub trait IntoApiRequest {
    /// As an HTTP request.
    fn into_api_request(self) -> Request<ApiRequest>;
}

impl IntoApiRequest for ChatRequest {
    fn into_api_request(self) -> Request<ApiRequest> {
        self.into_http()
    }
}

impl IntoApiRequest for EmbeddingRequest {
    fn into_api_request(self) -> Request<ApiRequest> {
        self.into_http()
    }
}

impl IntoApiRequest for ApiRequest {
    fn into_api_request(self) -> Request<ApiRequest> {
        self.into_http()
    }
}

impl<R: Into<ApiRequest>> IntoApiRequest for Request<R> {
    fn into_api_request(self) -> Request<ApiRequest> {
        self.map(Into::into)
    }
}

impl LlmRequest for ApiRequest {
    fn call(&self) -> &Call {
        each!(&self.0, body => body.call())
    }

    fn call_mut(&mut self) -> &mut Call {
        each!(&mut self.0, body => body.call_mut())
    }

    fn model(&self) -> Option<&str> {
        each!(&self.0, body => LlmRequest::model(body))
    }

    fn set_model(&mut self, model: &str) {
        each!(&mut self.0, body => LlmRequest::set_model(body, model));
    }

    fn needs(&self) -> Needs {
        each!(&self.0, body => body.needs())
    }

    fn is_streaming(&self) -> bool {
        each!(&self.0, body => LlmRequest::is_streaming(body))
    }

    fn as_stream(&self) -> Option<Self> {
        each!(&self.0, body => body.as_stream().map(Self::from))
    }

    fn operation(&self) -> &'static str {
        each!(&self.0, body => body.operation())
    }

    fn max_tokens(&self) -> Option<u64> {
        each!(&self.0, body => LlmRequest::max_tokens(body))
    }

    fn set_parameter(&mut self, name: &str, json: Option<&str>) -> bool {
        each!(&mut self.0, body => body.set_parameter(name, json))
    }

    fn reasoning_time(&self) -> Option<Duration> {
        each!(&self.0, body => body.reasoning_time())
    }

    fn set_alternatives(&mut self, models: &[&str]) -> bool {
        each!(&mut self.0, body => body.set_alternatives(models))
    }

    fn alternatives(&self) -> Vec<String> {
        each!(&self.0, body => body.alternatives())
    }

    fn unbounded_tool(&self) -> Option<String> {
        each!(&self.0, body => body.unbounded_tool())
    }

    fn pinned_route(&self) -> Route {
        each!(&self.0, body => body.pinned_route())
    }

    fn ask_to_continue(&mut self, last: &str) -> bool {
        each!(&mut self.0, body => body.ask_to_continue(last))
    }

    fn budgeted(&mut self) -> Option<&mut dyn Budgeted> {
        each!(&mut self.0, body => body.budgeted())
    }
}

impl Budgeted for ApiRequest {
    fn set_max_tokens(&mut self, tokens: u64) -> bool {
        each!(&mut self.0, body => Budgeted::set_max_tokens(body, tokens))
    }

    fn set_max_tool_cost(&mut self, most: UsdAmount) -> bool {
        each!(&mut self.0, body => body.set_max_tool_cost(most))
    }
}

impl Continuable for ApiRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        each!(&self.0, body => body.continue_after(shown).map(Self::from))
    }

    fn way_of(candidate: &Candidate) -> ContinueBy {
        ChatRequest::way_of(candidate)
    }
}

impl CacheKey for ApiRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        each!(&self.0, body => body.write_key(key));
    }

    fn asked_temperature(&self) -> Option<f64> {
        each!(&self.0, body => body.asked_temperature())
    }

    fn may_be_kept(&self) -> bool {
        each!(&self.0, body => body.may_be_kept())
    }

    fn ignores_header(&self, name: &HeaderName) -> bool {
        each!(&self.0, body => body.ignores_header(name))
    }
}

impl WireRequest for ApiRequest {
    fn path(&self) -> &str {
        each!(&self.0, body => body.path())
    }

    fn segments(&self, dialect: Dialect) -> Segments {
        each!(&self.0, body => WireRequest::segments(body, dialect))
    }

    fn completeness(&self) -> Completeness {
        each!(&self.0, body => body.completeness())
    }
}
