//! Whether the process lives, and whether it takes calls.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use http::StatusCode;
use serde_json::json;

use crate::gateway::{Gateway, Readiness};

/// Open to everyone: it says nothing but yes or no.
pub(super) fn router(gateway: &Gateway) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(ready))
        .with_state(gateway.clone())
}

async fn ready(State(gateway): State<Gateway>) -> impl IntoResponse {
    match gateway.readiness() {
        Readiness::Ready => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Readiness::Degraded(reason) => (StatusCode::OK, Json(json!({ "status": "degraded", "reason": reason }))),
        Readiness::Unready(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(json!({ "status": "unready", "reason": reason })),
        ),
    }
}
