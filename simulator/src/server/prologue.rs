//! What is known of a request before anybody looks at its body: who sent it, and what it was.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, header};

use crate::fault::Refusal;
use crate::money::Cost;
use crate::seen::{Attempt, Outcome};
use crate::state::Shared;

/// The bearer's key; empty where there is none.
pub(super) fn key(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.strip_prefix("Bearer ").unwrap_or_default().trim().to_owned()
}

/// Why this key may not call.
pub(super) fn refused(shared: &Shared, key: &str) -> Option<Refusal> {
    if key.is_empty() {
        return Some(Refusal::NoKey);
    }
    let state = shared.lock();
    let known = if state.config.keys.is_empty() {
        key.starts_with("sk-or-v1-")
    } else {
        state.config.keys.contains_key(key)
    };
    if !known {
        return Some(Refusal::Unauthorized);
    }
    let spent = state.spent.get(key).copied().unwrap_or_default();
    let limit = state.config.keys.get(key).copied().flatten();
    limit.is_some_and(|limit| spent >= limit).then_some(Refusal::KeyLimit)
}

/// The record of a request that has just come.
pub(super) fn attempt(
    shared: &Shared,
    parts: &Parts,
    body: &Bytes,
    model: &str,
    stream: bool,
) -> impl FnOnce(u64) -> Attempt {
    let headers = parts.headers.iter().map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (
            name.as_str().to_owned(),
            if name == header::AUTHORIZATION {
                masked(&text)
            } else {
                text
            },
        )
    });
    let attempt = Attempt {
        index: 0,
        at: shared.now(),
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
        model: model.to_owned(),
        served: String::new(),
        stream,
        headers: headers.collect(),
        body: body.clone(),
        fault: "ok".to_owned(),
        status: None,
        outcome: Outcome::Running,
        pieces: 0,
        bytes: 0,
        ended_at: None,
        billed: Cost::ZERO,
        generation_id: None,
    };
    move |index| Attempt { index, ..attempt }
}

/// All but the last four characters of a key are left out.
fn masked(value: &str) -> String {
    let count = value.chars().count();
    let last: String = value.chars().skip(count.saturating_sub(4)).collect();
    format!("Bearer …{last}")
}
