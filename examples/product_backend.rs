//! The backend of a product: its own routes and JSON, server-sent events to a browser, tenants by an API key of the product, a daily
//! budget for each tenant that survives a restart, metrics for Prometheus, and a shutdown in the right order.
//!
//! ```sh
//! cargo run --example product_backend --features sqlite,metrics
//! curl http://127.0.0.1:8080/api/ask -H 'authorization: Bearer acme-key' -H 'content-type: application/json' -d '{"question":"Why is the sky blue?"}'
//! curl -N http://127.0.0.1:8080/api/stream?question=Why -H 'authorization: Bearer acme-key'
//! curl http://127.0.0.1:8080/api/spend -H 'authorization: Bearer acme-key'
//! ```
//!
//! A browser reads `/api/stream` with `fetch`, which can send the header; `EventSource` cannot.
//!
//! `LISTEN` is the address, `LEDGER` the SQLite file (by default one in the temporary folder).
//!
//! The file stands by itself. A project of its own needs (until the crates are published, with the `path` of a checkout in place of our versions):
//!
//! ```toml
//! [dependencies]
//! tower-openrouter = { version = "0.1", features = ["metrics", "sqlite"] }
//! openrouter-simulator = "0.1"
//! axum = "0.8"
//! futures-util = "0.3"
//! metrics-exporter-prometheus = { version = "0.18", default-features = false }
//! serde = { version = "1", features = ["derive"] }
//! serde_json = "1"
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread", "signal"] }
//! tracing = "0.1"
//! tracing-subscriber = { version = "0.3", features = ["env-filter"] }
//! ```
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

use std::{convert::Infallible, env, error::Error as StdError, sync::Arc};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Query, State},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use openrouter_simulator::Simulator;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use tower_openrouter::{
    Account, ApiKey, Catalogue, ChatRequest, ChatServiceExt, Error, FailureKind, Stack, Tags, Transport,
    degrade::CannedReply,
    layers::{
        budget::{Budget, Budgets, Window},
        ledger::GroupBy,
        observe,
    },
    ledger::{DatabaseLedger, Filter, LedgerOptions},
    transport::{Dialect, OPENROUTER, Upstream},
};

/// The product's own keys and whose they are. A real product looks them up in its database.
const KEYS: [(&str, &str); 2] = [("acme-key", "acme"), ("globex-key", "globex")];

/// What every handler shares.
#[derive(Clone)]
struct App {
    stack: Stack,
    ledger: DatabaseLedger,
    metrics: PrometheusHandle,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    tracing_subscriber::fmt().with_env_filter("info").init();
    let metrics = PrometheusBuilder::new().install_recorder()?;
    observe::describe();

    // Without a key it calls a simulator in this process, whose first model fails now and then.
    let simulator = Simulator::start().await?;
    simulator.plan("anthropic/claude-sonnet-4.5", "30%503;retry-after=0")?;
    let (upstream, key) = if env::var_os("OPENROUTER_API_KEY").is_some() {
        (Upstream::openrouter()?, ApiKey::from_variable("OPENROUTER_API_KEY")?)
    } else {
        let upstream = Upstream::new(OPENROUTER, &simulator.base_url(), Dialect::OpenRouter)?;
        (upstream, ApiKey::new("sk-or-v1-simulated")?)
    };
    let transport = Transport::builder().upstream(upstream.clone()).build()?;
    let account = Account::new(transport, upstream.clone(), Some(key.clone()));
    let file = env::var_os("LEDGER").map_or_else(|| env::temp_dir().join("product_backend.sqlite"), Into::into);
    let ledger = LedgerOptions::sqlite(file).open().await?;
    let budgets = Budgets::new([Budget::usd("tenant-day", "1.00")?.per(Window::Day).each("tenant")])?;
    let prices = Arc::new(Catalogue::new(account.models().await?));
    budgets.use_model_names_of(prices.clone());
    let restored = ledger.restore(&budgets).await?; // what was spent today counts after a restart, too
    tracing::info!(entries = restored.recorded, "budgets restored from the ledger");
    let stack = Stack::builder()
        .upstream(upstream, key)
        .chain(["anthropic/claude-sonnet-4.5", "openai/gpt-4o-mini"])
        .canned_reply(CannedReply::text(
            "We cannot answer right now. Please try again in a minute.",
        ))
        .prices(prices)
        .budgets(budgets)
        .ledger(Arc::new(ledger.clone()))
        .require_tag("tenant")
        .build()?;

    let app = Router::new()
        .route("/api/ask", post(ask))
        .route("/api/stream", get(stream_answer))
        .route("/api/spend", get(spend))
        .route(
            "/metrics",
            get(|State(app): State<App>| async move { app.metrics.render() }),
        )
        .with_state(App {
            stack,
            ledger: ledger.clone(),
            metrics,
        });
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    // The order of a shutdown: no new connections, streams in progress end, then the ledger writes what it holds.
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    let closed = ledger.close().await;
    println!("the ledger wrote {} entries and lost {}", closed.written, closed.lost);
    Ok(())
}

/// Ends when the process receives a request to stop: Ctrl-C, or the SIGTERM that a container's host sends.
async fn stopped() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = ctrl_c() => {}
    }
}

/// The tenant whose key the request carries; a handler that takes one refuses all other requests.
struct Tenant(&'static str);

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = (StatusCode, Json<serde_json::Value>);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let key = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let tenant = KEYS
            .iter()
            .find(|(known, _)| Some(*known) == key)
            .map(|(_, tenant)| Self(tenant));
        tenant.ok_or((StatusCode::UNAUTHORIZED, Json(json!({ "error": "unknown key" }))))
    }
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

#[derive(Serialize)]
struct Reply {
    answer: String,
    /// Why a stand-in answered; absent for an ordinary answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    degraded: Option<String>,
    attempts: usize,
}

/// A failure, as this product tells it to its own clients.
struct Failed(Error);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            FailureKind::BudgetExceeded => StatusCode::PAYMENT_REQUIRED,
            FailureKind::BadRequest | FailureKind::ContextLengthExceeded => StatusCode::BAD_REQUEST,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        tracing::warn!(error = %self.0, "no answer");
        (status, Json(json!({ "error": self.0.kind().as_str() }))).into_response()
    }
}

fn request(tenant: &Tenant, question: String) -> Result<ChatRequest, StatusCode> {
    let tags = Tags::new([("tenant", tenant.0)]).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(ChatRequest::user(question).max_tokens(500).tags(tags))
}

async fn ask(State(app): State<App>, tenant: Tenant, Json(body): Json<Question>) -> Result<Json<Reply>, Response> {
    let request = request(&tenant, body.question).map_err(IntoResponse::into_response)?;
    let answer = app
        .stack
        .complete(request)
        .await
        .map_err(|error| Failed(error).into_response())?;
    Ok(Json(Reply {
        answer: answer.response.text().unwrap_or_default().to_owned(),
        degraded: answer.degraded().map(|mark| mark.to_string()),
        attempts: answer.attempts.map_or(0, |log| log.sent()),
    }))
}

/// Events `text` with a piece each, then `done`, or `error` if the answer was interrupted. A browser that leaves closes the upstream
/// connection, because the stream is dropped.
async fn stream_answer(
    State(app): State<App>,
    tenant: Tenant,
    Query(question): Query<Question>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Response> {
    let request = request(&tenant, question.question).map_err(IntoResponse::into_response)?;
    let answer = app
        .stack
        .stream(request)
        .await
        .map_err(|error| Failed(error).into_response())?;
    let events = stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        Some(match answer.next_text().await {
            Some(Ok(text)) => (Ok(Event::default().event("text").data(text)), Some(answer)),
            Some(Err(error)) => (Ok(Event::default().event("error").data(error.kind().as_str())), None),
            None => (Ok(Event::default().event("done").data("")), None),
        })
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// What the tenant has spent, by model, from the durable ledger.
async fn spend(State(app): State<App>, tenant: Tenant) -> Result<Json<serde_json::Value>, StatusCode> {
    let mine = Filter::new().tag("tenant", tenant.0);
    let rows = app
        .ledger
        .spend(&GroupBy::Model, &mine)
        .await
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let rows: Vec<_> = rows
        .iter()
        .map(|row| json!({ "model": row.group, "usd": row.spend.cost.to_string(), "attempts": row.spend.attempts }))
        .collect();
    Ok(Json(json!({ "tenant": tenant.0, "spend": rows })))
}
