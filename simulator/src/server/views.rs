//! What the simulator saw, and what it shall do next, over HTTP: `/__sim/…`.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use super::route::bare;
use crate::connection::ConnectionState;
use crate::money::Cost;
use crate::script::Script;
use crate::stage::Player;
use crate::state::Shared;
use crate::track::Track;

#[derive(Serialize)]
struct Bill {
    /// A JSON number, in USD.
    billed: Cost,
    billed_pico_usd: u64,
    attempts: usize,
}

/// Answers a path below `/__sim`.
pub(crate) fn answer(
    shared: &Shared,
    connection: ConnectionState,
    method: &Method,
    view: &str,
    body: &Bytes,
) -> Response<Player> {
    let (status, text) = match (method.as_str(), view) {
        ("GET", "/attempts") => show(&shared.report().attempts),
        ("GET", "/bill") => {
            let seen = shared.report();
            show(&Bill {
                billed: seen.billed,
                billed_pico_usd: seen.billed.pico(),
                attempts: seen.attempts.len(),
            })
        }
        ("GET", "/connections") => {
            let seen = shared.report();
            show(
                &json!({"open": seen.open_connections, "accepted": seen.connections_accepted,
                         "closed_by_client": seen.closed_by_client}),
            )
        }
        ("POST", "/script") => match serde_json::from_slice::<Script>(body) {
            Ok(script) => {
                shared.lock().run_script(script);
                show(&json!({"ok": true}))
            }
            Err(wrong) => (StatusCode::BAD_REQUEST, json!({"error": wrong.to_string()}).to_string()),
        },
        ("POST", "/reset") => {
            shared.lock().reset();
            shared.changed.notify_waiters();
            show(&json!({"ok": true}))
        }
        _ => (StatusCode::NOT_FOUND, json!({"error": "no such view"}).to_string()),
    };
    let mut response = bare(status, connection.clone());
    let track = Track::whole(text);
    let length = track.bytes();
    *response.body_mut() = Player::new(track, None, connection);
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert("content-length", HeaderValue::from(length));
    response
}

fn show<T: Serialize>(value: &T) -> (StatusCode, String) {
    match serde_json::to_string(value) {
        Ok(text) => (StatusCode::OK, text),
        Err(wrong) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Value::from(wrong.to_string()).to_string(),
        ),
    }
}
