//! The stack in an axum service: endpoints that the clients of OpenAI, Anthropic and OpenRouter can call.
//!
//! ```sh
//! cargo run --example axum_service
//! curl -N http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' \
//!   -d '{"model":"openai/gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]}'
//! ```
//!
//! With OpenAI's Python SDK:
//!
//! ```python
//! from openai import OpenAI
//! client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key="unused")
//! print(client.chat.completions.create(
//!     model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Why is the sky blue?"}],
//! ).choices[0].message.content)
//! ```
//!
//! `/v1/responses`, `/v1/messages` and `/v1/embeddings` are there as well, and the same under `/api/v1` with OpenRouter's errors: a line of
//! curl for each is in `docs/endpoints.md`. The requested model is called; when it fails, `FALLBACK` answers instead.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::env;

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get, serve::ListenerExt};
use serde_json::json;
use tower_openrouter::{Account, ChatServiceExt, Transport};

/// The model that answers when the requested one does not.
const FALLBACK: &str = "openai/gpt-4o-mini";

#[tokio::main]
async fn main() -> support::Fallible {
    tracing_subscriber::fmt()
        .with_env_filter("info,tower_llm_layers=debug")
        .init();
    let place = support::place(&[]).await?;
    let stack = place.stack().chain([FALLBACK]).build()?;
    println!("{}\n", stack.describe());

    let transport = Transport::builder().upstream(place.upstream.clone()).build()?;
    let account = Account::new(transport, place.upstream.clone(), Some(place.key.clone()));
    let endpoints = stack.into_endpoints();
    let app = Router::new()
        // The list as the upstream has it now; any other method gets the endpoints' own error.
        .route("/v1/models", get(models).fallback_service(endpoints.clone()))
        .with_state(account)
        .fallback_service(endpoints);

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Small events must not wait for one another: without this each short stream ends some 40 ms late.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    axum::serve(listener, app)
        .with_graceful_shutdown(support::stopped())
        .await?;
    Ok(())
}

/// The list as OpenAI's clients read it.
async fn models(State(account): State<Account>) -> impl IntoResponse {
    match account.models().await {
        Ok(models) => {
            let data: Vec<_> = models
                .iter()
                .map(|model| json!({ "id": model.id, "object": "model", "created": model.created, "owned_by": author(&model.id) }))
                .collect();
            Json(json!({ "object": "list", "data": data })).into_response()
        }
        Err(error) => {
            let body = json!({ "error": { "message": error.to_string(), "type": "api_error", "param": null, "code": error.kind().as_str() } });
            (StatusCode::BAD_GATEWAY, Json(body)).into_response()
        }
    }
}

/// The author of a model: the part of its name before the slash.
fn author(model: &str) -> &str {
    model.split_once('/').map_or(model, |(author, _)| author)
}
