//! The calls that read: models, endpoints, key, credits, generations.

use http::{HeaderValue, Response};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::prologue;
use super::route::{Asked, before_headers, instead};
use crate::catalogue;
use crate::fault::Refusal;
use crate::money::Cost;
use crate::stage::{Player, plain};
use crate::wire::error::{About, Refused};

pub(super) async fn answer(asked: Asked, path: &str) -> Response<Player> {
    let mut ticket = asked.ticket("", false);
    let fate = match asked.fate(path) {
        Ok(fate) => fate,
        Err(message) => return asked.reply(ticket).refuse(Refused::plain(400, &message)),
    };
    ticket.note(|attempt| attempt.fault.clone_from(&fate.text));
    before_headers(&asked.line, &mut ticket, &fate.faults).await;
    let reply = match instead(asked.reply(ticket), &fate, &About::default()) {
        Ok(reply) => reply,
        Err(response) => return response,
    };
    match read(&asked, path) {
        Ok(document) => {
            let track = plain::track(document.to_string().into_bytes(), 1, &fate.faults);
            let mut response = reply.play(200, "application/json", track);
            if path == "/models" {
                response
                    .headers_mut()
                    .insert("cache-control", HeaderValue::from_static("max-age=120"));
            }
            response
        }
        Err(refused) => reply.refuse(refused),
    }
}

fn read(asked: &Asked, path: &str) -> Result<Value, Refused> {
    let query = asked.parts.uri.query().unwrap_or_default();
    match path {
        "/models" => catalogue::list(query).map_err(|message| Refused::plain(400, &message)),
        "/key" | "/auth/key" => with_key(asked).map(|()| key(asked)),
        "/credits" => with_key(asked).map(|()| credits(asked)),
        "/generation" => with_key(asked).and_then(|()| generation(asked, query)),
        path => model(path).ok_or_else(|| Refused::plain(404, "Not Found")),
    }
}

fn model(path: &str) -> Option<Value> {
    if let Some(id) = path.strip_prefix("/model/") {
        return Some(json!({"data": catalogue::model(&catalogue::find(id)?)}));
    }
    let id = path.strip_prefix("/models/")?.strip_suffix("/endpoints")?;
    Some(catalogue::endpoints(&catalogue::find(id)?))
}

/// A key over its cap may still read.
fn with_key(asked: &Asked) -> Result<(), Refused> {
    match prologue::refused(&asked.shared, &asked.key) {
        Some(refusal @ (Refusal::NoKey | Refusal::Unauthorized)) => Err(Refused::new(refusal, &About::default(), &[])),
        _ => Ok(()),
    }
}

fn key(asked: &Asked) -> Value {
    let state = asked.shared.lock();
    let limit = state.config.keys.get(&asked.key).copied().flatten();
    let spent = state.spent.get(&asked.key).copied().unwrap_or_default();
    let last: String = asked
        .key
        .chars()
        .rev()
        .take(3)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    json!({"data": {
        "label": format!("sk-or-v1-...{last}"), "limit": limit,
        "limit_remaining": limit.map(|limit| limit.saturating_sub(spent)), "limit_reset": null,
        "include_byok_in_limit": false, "usage": spent, "usage_daily": spent, "usage_weekly": spent,
        "usage_monthly": spent, "byok_usage": 0, "byok_usage_daily": 0, "byok_usage_weekly": 0,
        "byok_usage_monthly": 0, "is_free_tier": false, "is_management_key": false, "is_provisioning_key": false,
        "creator_user_id": "user_2demo", "expires_at": null,
        "free_model_daily_requests": {"used": 0, "limit": 1000, "remaining": 1000},
        "rate_limit": {"requests": -1, "interval": "10s", "note": "This field is deprecated and safe to ignore."},
    }})
}

fn credits(asked: &Asked) -> Value {
    let state = asked.shared.lock();
    // An account without a balance of its own has plenty.
    let total = state.config.credits.unwrap_or(Cost::from_pico(100_000_000_000_000));
    json!({"data": {"total_credits": total, "total_usage": state.billed}})
}

fn generation(asked: &Asked, query: &str) -> Result<Value, Refused> {
    let id = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("id="))
        .unwrap_or_default();
    let missing = || Refused::plain(404, &format!("Generation {id} not found"));
    let mut state = asked.shared.lock();
    let generation = state.generations.get_mut(id).ok_or_else(missing)?;
    if Instant::now() < generation.ready_at {
        return Err(missing());
    }
    if generation.misses_left > 0 {
        generation.misses_left -= 1;
        return Err(missing());
    }
    Ok(json!({"data": generation.record}))
}
