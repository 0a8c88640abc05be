//! The calls that generate nothing: catalogue, key, credits, generations.

use http::{HeaderValue, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::Call;
use super::route::mask;
use crate::catalogue;
use crate::money::Cost;
use crate::stage::Player;

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

fn body<T: Serialize>(data: &T) -> Vec<u8> {
    serde_json::to_vec(data).unwrap_or_default()
}

/// `GET /models`.
pub(crate) async fn models(call: Call, query: &str) -> Response<Player> {
    match catalogue::list(query) {
        Ok(list) => {
            let mut response = call.json("/models", body(&list)).await;
            if response.status().is_success() {
                response
                    .headers_mut()
                    .insert("cache-control", HeaderValue::from_static("public, max-age=120"));
            }
            response
        }
        Err(wrong) => call.refuse_plain(400, &wrong),
    }
}

/// `GET /model/{author}/{slug}`.
pub(crate) async fn model(call: Call, id: &str) -> Response<Player> {
    match catalogue::find(id) {
        Some(model) => {
            call.json(
                "/model",
                body(&Data {
                    data: catalogue::model(&model),
                }),
            )
            .await
        }
        None => call.refuse_plain(404, &format!("Model {id} not found")),
    }
}

/// `GET /models/{author}/{slug}/endpoints`.
pub(crate) async fn endpoints(call: Call, id: &str) -> Response<Player> {
    let Some(model) = catalogue::find(id) else {
        return call.refuse_plain(404, &format!("Model {id} not found"));
    };
    let mut shown = catalogue::endpoints(&model);
    if call.key.is_empty()
        && let Some(offers) = shown.pointer_mut("/data/endpoints").and_then(Value::as_array_mut)
    {
        // The speed of an endpoint is shown only to requests with a key.
        for offer in offers.iter_mut().filter_map(Value::as_object_mut) {
            offer.insert("latency_last_30m".to_owned(), Value::Null);
            offer.insert("throughput_last_30m".to_owned(), Value::Null);
        }
    }
    call.json("/endpoints", body(&shown)).await
}

#[derive(Serialize)]
struct KeyInfo {
    label: String,
    limit: Option<Cost>,
    limit_remaining: Option<Cost>,
    limit_reset: Option<&'static str>,
    include_byok_in_limit: bool,
    usage: Cost,
    usage_daily: Cost,
    usage_weekly: Cost,
    usage_monthly: Cost,
    byok_usage: u32,
    byok_usage_daily: u32,
    byok_usage_weekly: u32,
    byok_usage_monthly: u32,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    creator_user_id: &'static str,
    expires_at: Option<&'static str>,
    free_model_daily_requests: Value,
    rate_limit: Value,
}

/// `GET /key`.
pub(crate) async fn key(call: Call) -> Response<Player> {
    let (limit, usage) = {
        let state = call.shared.lock();
        let limit = state.config.keys.get(&call.key).copied().flatten();
        (limit, state.spent.get(&call.key).copied().unwrap_or_default())
    };
    let info = KeyInfo {
        label: mask(&call.key),
        limit,
        limit_remaining: limit.map(|limit| limit.saturating_sub(usage)),
        limit_reset: None,
        include_byok_in_limit: false,
        usage,
        usage_daily: usage,
        usage_weekly: usage,
        usage_monthly: usage,
        byok_usage: 0,
        byok_usage_daily: 0,
        byok_usage_weekly: 0,
        byok_usage_monthly: 0,
        is_free_tier: false,
        is_management_key: false,
        is_provisioning_key: false,
        creator_user_id: "user_2demo",
        expires_at: None,
        free_model_daily_requests: json!({"used": 0, "limit": 1000, "remaining": 1000}),
        rate_limit: json!({"requests": -1, "interval": "10s",
                           "note": "This field is deprecated and safe to ignore."}),
    };
    call.json("/key", body(&Data { data: info })).await
}

#[derive(Serialize)]
struct Credits {
    total_credits: Cost,
    total_usage: Cost,
}

/// `GET /credits`; an account without a set balance shows 1 000 dollars.
pub(crate) async fn credits(call: Call) -> Response<Player> {
    let data = {
        let state = call.shared.lock();
        let total_credits = state.config.credits.unwrap_or(Cost::from_pico(1_000_000_000_000_000));
        Credits {
            total_credits,
            total_usage: state.billed,
        }
    };
    call.json("/credits", body(&Data { data })).await
}

/// `GET /generation?id=`.
pub(crate) async fn generation(call: Call, query: &str) -> Response<Player> {
    let id = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("id="))
        .unwrap_or("")
        .to_owned();
    let found = {
        let mut state = call.shared.lock();
        state.generations.get_mut(&id).and_then(|generation| {
            if generation.misses_left > 0 {
                generation.misses_left -= 1;
                return None;
            }
            (generation.ready_at <= Instant::now()).then(|| {
                body(&Data {
                    data: &generation.record,
                })
            })
        })
    };
    match found {
        Some(record) => call.json("/generation", record).await,
        None => call.refuse_plain(404, &format!("Generation {id} not found")),
    }
}
