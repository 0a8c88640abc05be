//! Whether the process lives, and whether it takes calls.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use http::StatusCode;
use serde_json::{Value, json};

use crate::gateway::{Gateway, Readiness};

/// Open to everyone: it says nothing but yes or no.
pub(super) fn router(gateway: &Gateway) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(gateway.clone())
}

/// The process lives.
pub(super) async fn alive() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(State(gateway): State<Gateway>) -> impl IntoResponse {
    let mut answer = match gateway.readiness() {
        Readiness::Ready => (StatusCode::OK, json!({ "status": "ready" })),
        Readiness::Degraded(reason) => (StatusCode::OK, json!({ "status": "degraded", "reason": reason })),
        Readiness::Unready(reason) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "status": "unready", "reason": reason }),
        ),
    };
    // What is wrong with it stands in the log: here everyone could read it.
    if gateway.reload_error().is_some()
        && let Value::Object(members) = &mut answer.1
    {
        let warning = "the settings file was refused: the settings before it stay in force";
        members.insert("warning".to_owned(), warning.into());
    }
    (answer.0, Json(answer.1))
}
