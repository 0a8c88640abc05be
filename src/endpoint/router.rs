//! All APIs as one service that routes by path.

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt,
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{
    EndpointBody, EndpointFuture, Envelope, ModelsEndpoint,
    envelope::Shape,
    exchange::{answer, for_method},
    model_path::ModelPath,
    problem::Problem,
    settings::{Settings, setters},
};
use crate::{Api, Catalogue, stack::ChatService};

/// The APIs of a stack as one service: it routes by path, for axum's `fallback_service`, hyper-util or any other server.
///
/// | path | method | answers |
/// | --- | --- | --- |
/// | `/v1/chat/completions` | POST | OpenAI's chat completions |
/// | `/v1/responses` | POST | OpenAI's responses |
/// | `/v1/messages` | POST | Anthropic's messages |
/// | `/v1/embeddings` | POST | OpenAI's embeddings |
/// | `/v1/models`, `/v1/models/{id}` | GET, HEAD | the models that are known, and one of them: see [`ModelsEndpoint`] |
///
/// The same paths under `/api/v1` answer with [`Envelope::OpenRouter`]. A path must be spelt as here: any other, one with a doubled or a
/// trailing slash, capitals or escapes included, gets 404, another method 405 with `Allow`, both as JSON in the shape of the API. A
/// [single API](super::ApiEndpoint) takes any path.
///
/// ```
/// use tower_openrouter::{ApiKey, ChatServiceExt, Stack};
///
/// # fn app(key: ApiKey) -> Result<axum::Router, Box<dyn std::error::Error>> {
/// let stack = Stack::openrouter(key).chain(["openai/gpt-5"]).build()?;
/// let app = axum::Router::new().fallback_service(stack.into_endpoints());
/// # Ok(app)
/// # }
/// ```
///
/// Keys, headers, limits, deadlines and cancellation are those of [`ApiEndpoint`](super::ApiEndpoint).
#[derive(Clone)]
pub struct Endpoints<S> {
    stack: S,
    settings: Arc<Settings>,
    models: ModelsEndpoint,
}

impl<S> Endpoints<S> {
    pub(crate) fn new(stack: S, models: ModelsEndpoint) -> Self {
        Self {
            stack,
            settings: Arc::default(),
            models,
        }
    }

    setters!();

    /// Lists the models of this catalogue under `/v1/models`, in the place of the one that the stack is built with.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.models = self.models.catalogue(catalogue);
        self
    }
}

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Call(Shape),
    Models(Envelope),
    Model(Envelope, ModelPath),
    /// Nowhere; the shape is that of the API that was probably meant.
    Unknown(Shape),
}

impl Route {
    /// Compares the path as it stands on the wire: nothing is decoded or tidied, so no spelling of a path reaches a route that a proxy in
    /// front has matched differently.
    fn of(path: &str) -> Self {
        let (envelope, name) = if let Some(name) = path.strip_prefix("/v1/") {
            (Envelope::OpenAi, name)
        } else if let Some(name) = path.strip_prefix("/api/v1/") {
            (Envelope::OpenRouter, name)
        } else {
            return Self::unknown(path);
        };
        if name == "models" {
            return Self::Models(envelope);
        }
        if let Some(model) = name.strip_prefix("models/") {
            return ModelPath::of(model).map_or_else(|| Self::unknown(path), |model| Self::Model(envelope, model));
        }
        match Api::ALL.into_iter().find(|api| api.path() == name) {
            Some(api) => Self::Call(Shape { api, envelope }),
            None => Self::unknown(path),
        }
    }

    fn unknown(path: &str) -> Self {
        let is_openrouter = path.trim_start_matches('/').starts_with("api/");
        let shape = Shape {
            // Anthropic's clients do without a path that is not there, such as the count of tokens, if the error is in their own envelope.
            api: if path.contains("/messages") {
                Api::Messages
            } else {
                Api::Chat
            },
            envelope: if is_openrouter {
                Envelope::OpenRouter
            } else {
                Envelope::OpenAi
            },
        };
        Self::Unknown(shape)
    }
}

/// The shape in which a request for this path is refused.
pub(super) fn shape_of(path: &str) -> Shape {
    match Route::of(path) {
        Route::Call(shape) | Route::Unknown(shape) => shape,
        Route::Models(envelope) | Route::Model(envelope, _) => Shape {
            api: Api::Chat,
            envelope,
        },
    }
}

/// The refusal of a path that leads nowhere.
pub(super) fn not_found() -> Problem {
    let paths: Vec<_> = Api::ALL.into_iter().map(|api| format!("/v1/{}", api.path())).collect();
    let message = format!(
        "no API has this path: use {} or /v1/models, or the same under /api/v1, spelt exactly so",
        paths.join(", ")
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

impl<S> fmt::Debug for Endpoints<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("max_body_bytes", &self.settings.max_body_bytes)
            .finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for Endpoints<S>
where
    S: ChatService,
    B: Body<Data: Buf + Send, Error: Into<Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    type Response = Response<EndpointBody>;
    type Error = Infallible;
    type Future = EndpointFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The stack is made ready for each call: a server must not wait before it has read the request.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> EndpointFuture {
        let response = match Route::of(request.uri().path()) {
            Route::Call(shape) => {
                let (stack, settings) = (self.stack.clone(), Arc::clone(&self.settings));
                return Box::pin(async move { Ok(answer(stack, shape, settings, request).await) });
            }
            Route::Models(envelope) => {
                let models = self.models.clone().envelope(envelope);
                models.respond(request.method(), request.uri(), None)
            }
            Route::Model(envelope, model) => {
                let models = self.models.clone().envelope(envelope);
                models.respond(request.method(), request.uri(), Some(&model))
            }
            Route::Unknown(shape) => not_found().into_response(shape),
        };
        Box::pin(ready(Ok(for_method(response, request.method()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_as_it_stands() {
        for api in Api::ALL {
            let (openai, openrouter) = (format!("/v1/{}", api.path()), format!("/api/v1/{}", api.path()));
            let call = |envelope| Route::Call(Shape { api, envelope });
            assert_eq!(Route::of(&openai), call(Envelope::OpenAi));
            assert_eq!(Route::of(&openrouter), call(Envelope::OpenRouter));
        }
        assert_eq!(Route::of("/v1/models"), Route::Models(Envelope::OpenAi));
        assert_eq!(Route::of("/api/v1/models"), Route::Models(Envelope::OpenRouter));
    }
}
