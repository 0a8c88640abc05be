//! `/v1/key`: what the caller's own key may do, and what was spent with it.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::{Method, Uri},
    response::IntoResponse,
    routing::{MethodRouter, get},
};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};
use tower_openrouter::{UsdAmount, endpoint::Refusal};

use super::usage::{Usage, Usages};
use crate::{accounts::BudgetState, gateway::Gateway, keys::ClientKey};

/// What the route needs.
#[derive(Debug, Clone)]
struct Own {
    gateway: Gateway,
    usages: Usages,
}

/// The route.
pub(super) fn route(gateway: &Gateway) -> MethodRouter {
    get(show)
        .fallback(|method: Method, uri: Uri| async move { wrong_method(&method, &uri) })
        .with_state(Own {
            gateway: gateway.clone(),
            usages: Usages::new(),
        })
}

/// The caller's own key.
async fn show(State(own): State<Own>, key: Option<Extension<Arc<ClientKey>>>, uri: Uri) -> Response<axum::body::Body> {
    let Some(Extension(key)) = key else {
        let message = "this gateway needs no key, and this call has none: there is nothing to show";
        return refused(Refusal::new(StatusCode::NOT_FOUND, "no_api_key", message), &uri);
    };
    let gateway = &own.gateway;
    let budgets = gateway.settings().budgets();
    let prefix = format!("key/{}/", key.name);
    let states = match gateway.accounts().states(&budgets, &prefix, key.tags()).await {
        Ok(states) => states,
        Err(error) => {
            tracing::warn!(target: "gateway", %error, "what was spent is not known");
            return unknown(
                "the shared store does not answer, so what was spent is not known: try again",
                &uri,
            );
        }
    };
    // What the key may do is known without the ledger.
    let summed = match gateway.ledger() {
        Some(ledger) => own.usages.of(ledger, key.name.as_ref()).await.ok(),
        None => Some(Usage::default()),
    };
    let mut shown = openrouter(&key, &states, summed.map(|summed| summed.with(&states)));
    shown.extend(ours(&key, &states));
    let mut response = Json(json!({ "data": shown })).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The gateway's own members.
fn ours(key: &ClientKey, states: &[BudgetState]) -> Map<String, Value> {
    let rules = &key.rules;
    members(json!({
        "name": key.name,
        "models": rules.models,
        "limits": { "requests": rules.requests, "tokens": rules.tokens, "concurrency": rules.concurrency },
        "budgets": states,
        "expires": key.expires().map(|at| at.to_string()),
    }))
}

/// The members that OpenRouter's SDKs cannot do without. The limit is that of the budget with the least left; several budgets are in `budgets`. The
/// usage is `null` while the ledger does not answer.
fn openrouter(key: &ClientKey, states: &[BudgetState], usage: Option<Usage>) -> Map<String, Value> {
    let spent = |window: fn(&Usage) -> UsdAmount| usage.as_ref().map(|usage| dollars(window(usage)));
    let left = |state: &&BudgetState| state.free.parse().unwrap_or(UsdAmount::ZERO);
    let tightest = states.iter().min_by_key(left);
    members(json!({
        "label": key.name,
        "limit": tightest.map(|state| number(&state.usd)),
        "limit_remaining": tightest.map(|state| number(&state.free)),
        "limit_reset": tightest.and_then(|state| match state.per {
            "day" => Some("daily"),
            "week" => Some("weekly"),
            "month" => Some("monthly"),
            _ => None,
        }),
        "include_byok_in_limit": true,
        "usage": spent(|usage| usage.ever),
        "usage_daily": spent(|usage| usage.day),
        "usage_weekly": spent(|usage| usage.week),
        "usage_monthly": spent(|usage| usage.month),
        // What a provider bills itself is part of the usage.
        "byok_usage": 0,
        "byok_usage_daily": 0,
        "byok_usage_weekly": 0,
        "byok_usage_monthly": 0,
        "is_free_tier": false,
        "is_management_key": false,
        "is_provisioning_key": false,
        "creator_user_id": null,
        "expires_at": key.expires().map(|at| at.to_string()),
        "rate_limit": { "requests": -1, "interval": "10s", "note": "deprecated: see `limits`" },
    }))
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn dollars(amount: UsdAmount) -> Value {
    number(amount.to_string().trim_start_matches('$'))
}

/// A decimal text as a number, as OpenRouter writes amounts.
fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn wrong_method(method: &Method, uri: &Uri) -> Response<axum::body::Body> {
    let message = format!("{method} is not allowed here: use GET, HEAD");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    refused(
        refusal.header(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
        uri,
    )
}

fn unknown(message: &str, uri: &Uri) -> Response<axum::body::Body> {
    refused(
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", message),
        uri,
    )
}

fn refused(refusal: Refusal, uri: &Uri) -> Response<axum::body::Body> {
    refusal.into_response(uri.path()).map(axum::body::Body::new)
}
