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
//! `/v1/responses`, `/v1/messages`, `/v1/embeddings` and `/v1/models` are there as well, and the same under `/api/v1` with OpenRouter's errors: a
//! line of curl for each is in `docs/endpoints.md`. The requested model is called; when it fails, `FALLBACK` answers instead.
//!
//! `DAILY_BUDGET=5` limits what all calls of a day may cost, in US dollars. A call beyond it is refused with 402 before anything is sent.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod support;

use std::{env, sync::Arc};

use axum::{Router, serve::ListenerExt};
use tokio::runtime::Handle;
use tower_openrouter::{
    Account, Catalogue, ChatServiceExt, Transport,
    catalogue::CatalogueRefresh,
    layers::budget::{Budget, Window},
};

/// The model that answers when the requested one does not.
const FALLBACK: &str = "openai/gpt-4o-mini";

#[tokio::main]
async fn main() -> support::Fallible {
    tracing_subscriber::fmt()
        .with_env_filter("info,tower_llm_layers=debug")
        .init();
    let place = support::place(&[]).await?;
    let transport = Transport::builder().upstream(place.upstream.clone()).build()?;
    let account = Account::new(transport, place.upstream.clone(), Some(place.key.clone()));
    // The models and their prices as the upstream has them: read now, and again from time to time.
    let catalogue = Catalogue::new(account.models().await?);
    let _refreshing = CatalogueRefresh::new(catalogue.clone(), account).spawn_on(&Handle::current());

    let mut builder = place.stack().chain([FALLBACK]);
    if let Ok(dollars) = env::var("DAILY_BUDGET") {
        let budget = Budget::usd("service-day", &dollars)?.per(Window::Day);
        builder = builder.prices(Arc::new(catalogue.clone())).budget(budget);
    }
    let stack = builder.build()?;
    println!("{}\n", stack.describe());
    let app = Router::new().fallback_service(stack.into_endpoints().catalogue(catalogue));

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
