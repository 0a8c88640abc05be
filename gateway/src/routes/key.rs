//! `/v1/key`: what the caller's own key may do, and what was spent with it.

use std::sync::Arc;

use axum::{Extension, Json, extract::State, http::Uri, response::IntoResponse};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;
use tower_openrouter::endpoint::Refusal;

use crate::{gateway::Gateway, keys::ClientKey};

/// The caller's own key.
pub(super) async fn show(
    State(gateway): State<Gateway>,
    key: Option<Extension<Arc<ClientKey>>>,
    uri: Uri,
) -> Response<axum::body::Body> {
    let Some(Extension(key)) = key else {
        let message = "this gateway needs no key, and this call has none: there is nothing to show";
        return refused(StatusCode::NOT_FOUND, "no_api_key", message, uri.path());
    };
    let budgets = gateway.settings().budgets();
    let prefix = format!("key/{}/", key.name);
    match gateway.accounts().states(&budgets, &prefix, key.tags()).await {
        Ok(states) => {
            let rules = &key.rules;
            let shown = json!({
                "data": {
                    "name": key.name,
                    "models": rules.models,
                    "limits": { "requests": rules.requests, "tokens": rules.tokens, "concurrency": rules.concurrency },
                    "budgets": states,
                    "expires": key.expires().map(|at| at.to_string()),
                }
            });
            let mut response = Json(shown).into_response();
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => {
            tracing::warn!(target: "gateway", %error, "what was spent is not known");
            let message = "the shared store does not answer, so what was spent is not known: try again";
            refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                message,
                uri.path(),
            )
        }
    }
}

fn refused(status: StatusCode, code: &'static str, message: &str, path: &str) -> Response<axum::body::Body> {
    Refusal::new(status, code, message)
        .into_response(path)
        .map(axum::body::Body::new)
}
