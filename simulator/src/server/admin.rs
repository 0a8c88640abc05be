//! `/__sim/…`: what the simulator saw, and its script.

use http::{Method, Response};
use serde_json::json;

use super::route::Asked;
use crate::script::Script;
use crate::stage::Player;
use crate::wire::error::Refused;

pub(super) fn answer(asked: &Asked, view: &str) -> Response<Player> {
    let reply = asked.reply(None);
    let seen = asked.shared.seen();
    match (&asked.parts.method, view) {
        (&Method::GET, "/attempts") => reply.json(200, &json!({"attempts": seen.attempts})),
        (&Method::GET, "/bill") => reply.json(200, &json!({"billed": seen.billed, "pico_dollars": seen.billed.pico()})),
        (&Method::GET, "/connections") => reply.json(
            200,
            &json!({"open": seen.open_connections, "accepted": seen.connections_accepted,
                    "closed_by_client": seen.closed_by_client}),
        ),
        (&Method::POST, "/script") => match serde_json::from_slice::<Script>(&asked.body) {
            Ok(script) => {
                asked.shared.lock().play(script);
                reply.json(200, &json!({"ok": true}))
            }
            Err(error) => reply.refuse(Refused::plain(400, &error.to_string())),
        },
        (&Method::POST, "/reset") => {
            asked.shared.lock().reset();
            reply.json(200, &json!({"ok": true}))
        }
        _ => reply.refuse(Refused::plain(
            404,
            "GET /__sim/attempts, /__sim/bill, /__sim/connections; POST /__sim/script, /__sim/reset",
        )),
    }
}
