//! The list of models and each of them, without those that a client key does not allow.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower_openrouter::endpoint::{EndpointBody, ModelsEndpoint, Refusal};
use tower_service::Service;

use crate::keys::ClientKey;

/// The list of models and each of them, without those that the caller's key does not allow.
#[derive(Debug, Clone)]
pub(super) struct Models(ModelsEndpoint);

impl Models {
    pub(super) const fn new(models: ModelsEndpoint) -> Self {
        Self(models)
    }
}

impl<B: Send + 'static> Service<Request<B>> for Models {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let key = request.extensions().get::<Arc<ClientKey>>().cloned();
        let key = key.filter(|key| !key.models().is_empty() && request.method() == Method::GET);
        let path: Box<str> = request.uri().path().into();
        let response = self.0.call(request);
        Box::pin(async move {
            let response = response.await?;
            Ok(match key {
                Some(key) => allowed(response, &key, &path).await,
                None => response.map(Body::new),
            })
        })
    }
}

/// The response without the rows that the key does not allow.
async fn allowed(response: Response<EndpointBody>, key: &ClientKey, path: &str) -> Response<Body> {
    if !response.status().is_success() {
        return response.map(Body::new);
    }
    let (mut head, body) = response.into_parts();
    // It is whole, and its reading cannot fail.
    let Ok(bytes) = body.collect().await.map(http_body_util::Collected::to_bytes);
    let Ok(mut list) = serde_json::from_slice::<Value>(&bytes) else {
        return Response::from_parts(head, bytes.into());
    };
    let is_allowed = |row: &Value| row.get("id").and_then(Value::as_str).is_some_and(|id| key.allows(id));
    if let Some(rows) = list.get_mut("data").and_then(Value::as_array_mut) {
        rows.retain(is_allowed);
    } else if !is_allowed(list.get("data").unwrap_or(&list)) {
        // One model: OpenRouter's in `data`, OpenAI's as it is.
        return hidden(path);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, list.to_string().into())
}

/// As if the model were not there.
fn hidden(path: &str) -> Response<Body> {
    let message = "the client key does not allow this model, or it is not known here: see /v1/models";
    let refusal = Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message);
    refusal.into_response(path).map(Body::new)
}
