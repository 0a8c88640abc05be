//! A request to any of the APIs.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use http::{HeaderName, Method, Request, Uri};
use tower_llm_layers::{
    Budgeted, CacheKey, Call, Candidate, Continuable, ContinueBy, KeyWriter, LlmRequest, Needs, ProviderRouting, Route,
    UsdAmount,
};

use super::{Api, EmbeddingRequest, MessagesRequest, ResponsesRequest};
use crate::{BodySegments, ChatRequest, Upstream, WireRequest, dialect::Dialect, sealed::Sealed};
use openrouter_wire::chat::ChatResponse;
use openrouter_wire::request::RequestError;
use openrouter_wire::{
    ApiAnswer,
    embeddings::{EmbeddingResponse, VectorForm},
    messages::MessageDocument,
    responses::ResponseDocument,
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
pub struct ApiRequest(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Chat(ChatRequest),
    Responses(ResponsesRequest),
    Messages(MessagesRequest),
    Embedding(EmbeddingRequest),
}

/// The same expression for whichever request it is.
macro_rules! each {
    ($request:expr, $body:ident => $value:expr) => {
        match $request {
            Kind::Chat($body) => $value,
            Kind::Responses($body) => $value,
            Kind::Messages($body) => $value,
            Kind::Embedding($body) => $value,
        }
    };
}

/// Views of one kind, and the conversions.
macro_rules! kinds {
    ($( $kind:ident($type:ty) -> $answer:ty: $view:ident, $view_mut:ident, $what:literal; )+) => {
        impl ApiRequest {
            $(
                #[doc = concat!("The request for ", $what, "; `None` if it is another one.")]
                #[must_use]
                pub const fn $view(&self) -> Option<&$type> {
                    match &self.0 {
                        Kind::$kind(request) => Some(request),
                        _ => None,
                    }
                }

                #[doc = concat!("The request for ", $what, ", to be changed; `None` if it is another one.")]
                #[must_use]
                pub const fn $view_mut(&mut self) -> Option<&mut $type> {
                    match &mut self.0 {
                        Kind::$kind(request) => Some(request),
                        _ => None,
                    }
                }
            )+
        }

        $(
            impl From<$type> for ApiRequest {
                fn from(request: $type) -> Self {
                    Self(Kind::$kind(request))
                }
            }

            impl Sealed for $type {}

            impl IntoApiRequest for $type {
                type Answer = $answer;

                fn into_api_request(self) -> Request<ApiRequest> {
                    self.into_http()
                }
            }
        )+
    };
}

kinds! {
    Chat(ChatRequest) -> ChatResponse: as_chat, as_chat_mut, "a chat";
    Responses(ResponsesRequest) -> ResponseDocument: as_responses, as_responses_mut, "a response";
    Messages(MessagesRequest) -> MessageDocument: as_messages, as_messages_mut, "a message";
    Embedding(EmbeddingRequest) -> EmbeddingResponse: as_embedding, as_embedding_mut, "embeddings";
}

impl ApiRequest {
    /// Reads a request to this API from the body of a call, in one pass; its bytes stay as they are.
    ///
    /// ```
    /// use tower_openrouter::{Api, ApiRequest};
    ///
    /// let body = r#"{"model":"openai/gpt-5","input":"Hi","new_field":[1]}"#;
    /// let request = ApiRequest::from_json(Api::Responses, body)?;
    /// assert_eq!(request.api(), Api::Responses);
    /// # Ok::<(), tower_openrouter::request::RequestError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is not a JSON object, or if a field that is read here is not what it must be: the error names it.
    pub fn from_json(api: Api, body: impl Into<Bytes>) -> Result<Self, RequestError> {
        let body = body.into();
        Ok(match api {
            Api::Chat => ChatRequest::from_json(body)?.into(),
            Api::Responses => ResponsesRequest::from_json(body)?.into(),
            Api::Messages => MessagesRequest::from_json(body)?.into(),
            Api::Embeddings => EmbeddingRequest::from_json(body)?.into(),
            _ => return Err(RequestError::UnsupportedApi { api }),
        })
    }

    /// The API that it is for.
    #[must_use]
    pub const fn api(&self) -> Api {
        match &self.0 {
            Kind::Chat(_) => Api::Chat,
            Kind::Responses(_) => Api::Responses,
            Kind::Messages(_) => Api::Messages,
            Kind::Embedding(_) => Api::Embeddings,
        }
    }

    /// Asks for the answer as a stream, or whole. Embeddings always come whole.
    #[must_use]
    pub fn stream(self, stream: bool) -> Self {
        match self.0 {
            Kind::Chat(chat) => chat.stream(stream).into(),
            Kind::Responses(request) => request.stream(stream).into(),
            Kind::Messages(request) => request.stream(stream).into(),
            Kind::Embedding(_) => self,
        }
    }

    /// As the body of an HTTP request, which is what a stack takes.
    #[must_use]
    pub fn into_http(self) -> Request<Self> {
        each!(self.0, request => request.into_http())
    }
}

/// A `POST` to this API. Above the transport path and method are for other people's layers to read.
pub(super) fn post(api: Api, body: ApiRequest) -> Request<ApiRequest> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(api.uri());
    request
}

/// What the methods of a stack take: a typed request, or an HTTP request with one as its body, whose headers and extensions go along.
///
/// Sealed: implemented here for all types that fit; nothing to implement.
pub trait IntoApiRequest: Sealed {
    /// What the typed answer is: that of the request's API. That of an [`ApiRequest`], whose API the type does not say, is a chat's.
    type Answer: ApiAnswer;

    /// As an HTTP request.
    fn into_api_request(self) -> Request<ApiRequest>;
}

impl Sealed for ApiRequest {}

impl IntoApiRequest for ApiRequest {
    type Answer = ChatResponse;

    fn into_api_request(self) -> Request<ApiRequest> {
        self.into_http()
    }
}

impl<R: IntoApiRequest> Sealed for Request<R> {}

impl<R: Into<ApiRequest> + IntoApiRequest> IntoApiRequest for Request<R> {
    type Answer = R::Answer;

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

    fn pool_of(upstream: &str, model: &str) -> Option<String> {
        crate::free::pool_of(upstream, model)
    }

    fn needs(&self) -> Needs {
        let mut needs = each!(&self.0, body => body.needs());
        needs.api = Some(self.api().name());
        needs
    }

    fn is_streaming(&self) -> bool {
        each!(&self.0, body => LlmRequest::is_streaming(body))
    }

    fn as_stream(&self) -> Option<Self> {
        each!(&self.0, body => body.as_stream().map(Self::from))
    }

    fn is_bound_to_model(&self) -> bool {
        each!(&self.0, body => body.is_bound_to_model())
    }

    fn operation(&self) -> &'static str {
        each!(&self.0, body => body.operation())
    }

    fn conversation(&self) -> Option<Cow<'_, str>> {
        each!(&self.0, body => body.conversation())
    }

    fn max_tokens(&self) -> Option<u64> {
        each!(&self.0, body => LlmRequest::max_tokens(body))
    }

    fn set_parameter(&mut self, name: &str, json: Option<&str>) -> bool {
        each!(&mut self.0, body => body.set_parameter(name, json))
    }

    fn reasoning_level(&self) -> Option<Cow<'_, str>> {
        each!(&self.0, body => body.reasoning_level())
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

    fn add_continue_instruction(&mut self, last: &str) -> bool {
        each!(&mut self.0, body => body.add_continue_instruction(last))
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

impl ProviderRouting for ApiRequest {
    /// Whether it has a `provider` object, whatever is in it, or selects a tier of its own.
    fn has_provider_preferences(&self) -> bool {
        let own = each!(&self.0, body => body.read_raw("provider"));
        // A tier has its own endpoints, which say nothing of the providers' usual ones.
        own.is_some_and(|own| own != b"null") || !self.pinned_route().is_free()
    }

    fn set_providers(&mut self, ignore: &[Box<str>], order: &[Box<str>]) -> bool {
        let mut provider = serde_json::Map::new();
        for (name, slugs) in [("ignore", ignore), ("order", order)] {
            if !slugs.is_empty() {
                provider.insert(name.to_owned(), slugs.iter().map(|slug| &**slug).collect());
            }
        }
        let json = serde_json::Value::Object(provider).to_string();
        self.set_parameter("provider", Some(&json))
    }
}

impl Continuable for ApiRequest {
    fn continue_after(&self, shown: &str) -> Option<Self> {
        each!(&self.0, body => body.continue_after(shown).map(Self::from))
    }

    fn continue_by(candidate: &Candidate) -> ContinueBy {
        ChatRequest::continue_by(candidate)
    }
}

impl CacheKey for ApiRequest {
    fn write_key(&self, key: &mut KeyWriter<'_>) {
        each!(&self.0, body => body.write_key(key));
    }

    fn requested_temperature(&self) -> Option<f64> {
        each!(&self.0, body => body.requested_temperature())
    }

    fn is_cacheable(&self) -> bool {
        each!(&self.0, body => body.is_cacheable())
    }

    fn ignores_header(&self, name: &HeaderName) -> bool {
        each!(&self.0, body => body.ignores_header(name))
    }
}

impl WireRequest for ApiRequest {
    fn path(&self) -> &str {
        each!(&self.0, body => body.path())
    }

    fn segments(&self, dialect: Dialect) -> BodySegments {
        each!(&self.0, body => WireRequest::segments(body, dialect))
    }

    fn segments_for(&self, upstream: &Upstream) -> BodySegments {
        each!(&self.0, body => body.segments_for(upstream))
    }

    fn adds_usage_for(&self, upstream: &Upstream) -> bool {
        each!(&self.0, body => body.adds_usage_for(upstream))
    }

    fn api(&self) -> Option<Api> {
        Some(self.api())
    }

    fn vector_form(&self) -> Option<VectorForm> {
        each!(&self.0, body => body.vector_form())
    }

    fn input_count(&self) -> Option<usize> {
        each!(&self.0, body => body.input_count())
    }

    fn check_for(&self, dialect: Dialect) -> Result<(), RequestError> {
        each!(&self.0, body => body.check_for(dialect))
    }
}
