//! Refuses a call whose client key does not allow the models that its request names.

use std::{
    borrow::Cow,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::Either;
use http::Request;
use tower_openrouter::{
    ApiRequest, ChatRequest, EmbeddingRequest, Error, FailureKind, MessagesRequest, ResponsesRequest,
    layers::LlmRequest, request::Document,
};
use tower_service::Service;

use super::{ClientKey, choosers, refusal_log::cut};

/// Members of a request by which the upstream may choose a model that the request does not name.
const CHOOSERS: [&str; 2] = ["preset", "fallbacks"];

/// Members of a request whose parts may name models of their own.
const LISTS: [&str; 2] = ["tools", "plugins"];

/// The stack behind the models that each client key allows. It stands above the stack, so that no cached or canned answer goes around it.
///
/// # Errors
///
/// 404 `model_not_found`, as OpenAI answers for a model that a key may not use.
///
/// # Cancellation
///
/// That of the stack.
#[derive(Debug, Clone)]
pub struct Guarded<S>(S);

impl<S> Guarded<S> {
    /// This stack.
    pub const fn new(stack: S) -> Self {
        Self(stack)
    }
}

/// The model of a request that its key does not allow.
fn forbidden<'a>(key: &ClientKey, request: &'a ApiRequest) -> Option<Cow<'a, str>> {
    if key.models().is_empty() {
        return None;
    }
    if let Some(model) = request.model().filter(|model| !choosers::allows(key, model)) {
        return Some(model.into());
    }
    let mut alternatives = request.alternatives().into_iter();
    if let Some(model) = alternatives.find(|model| !choosers::allows(key, model)) {
        return Some(model.into());
    }
    // A member that is written twice is looked at twice: an upstream may read either.
    for (name, _, raw) in document(request)?.written() {
        if LISTS.contains(&name)
            && let Some(model) = choosers::forbidden(key, name, raw)
        {
            return Some(model.into());
        }
        if CHOOSERS.contains(&name) {
            return Some(format!("of `{name}`").into());
        }
    }
    None
}

fn document(request: &ApiRequest) -> Option<&Document> {
    let chat = request.as_chat().map(ChatRequest::document);
    let response = || request.as_responses().map(ResponsesRequest::document);
    let message = || request.as_messages().map(MessagesRequest::document);
    let embedding = || request.as_embedding().map(EmbeddingRequest::document);
    chat.or_else(response).or_else(message).or_else(embedding)
}

fn refusal(key: &ClientKey, model: &str) -> Error {
    let allowed: Vec<_> = key.models().iter().map(ToString::to_string).collect();
    tracing::info!(target: "gateway::keys", key = &*key.name, model = cut(model), "model not allowed");
    let shown: String = model.chars().filter(|letter| !letter.is_control()).take(100).collect();
    let message = format!(
        "the client key `{}` does not allow the model {shown}: use {}",
        key.name,
        allowed.join(", ")
    );
    Error::new(FailureKind::NoEndpoint, message)
}

impl<S> Service<Request<ApiRequest>> for Guarded<S>
where
    S: Service<Request<ApiRequest>, Error = Error>,
{
    type Response = S::Response;
    type Error = Error;
    type Future = Either<Ready<Result<S::Response, Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        let key = request.extensions().get::<Arc<ClientKey>>();
        let refused = key.and_then(|key| Some(refusal(key, &forbidden(key, request.body())?)));
        match refused {
            Some(error) => Either::Left(ready(Err(error))),
            None => Either::Right(self.0.call(request)),
        }
    }
}
