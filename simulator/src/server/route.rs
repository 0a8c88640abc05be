//! From a request to its handler.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::call::{Call, check_key};
use super::{account, generate, views};
use crate::connection::ConnectionState;
use crate::fault::text::decode;
use crate::fault::{FaultError, Refusal};
use crate::plan::Step;
use crate::plans::Fate;
use crate::report::{Attempt, Outcome};
use crate::stage::Player;
use crate::state::Shared;
use crate::ticket::Ticket;
use crate::wire::Api;
use crate::wire::error::{About, Refused};

/// The largest request body.
const LARGEST: usize = 20 << 20;

/// Answers one request.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    connection: ConnectionState,
    request: Request<Incoming>,
) -> Response<Player> {
    let (parts, incoming) = request.into_parts();
    let Some((body, too_large)) = read(incoming).await else {
        return bare(StatusCode::BAD_REQUEST, connection);
    };
    let path = parts.uri.path().to_owned();
    if let Some(view) = path.strip_prefix("/__sim") {
        return views::answer(&shared, connection, &parts.method, view, &body);
    }
    let place = path.strip_prefix("/api/v1").or_else(|| path.strip_prefix("/v1"));
    let api = place.map(Api::of_errors).unwrap_or_default();
    let key = key(&parts.headers, api);
    let asked = wish(&shared, &parts.headers);
    let whole = parts
        .uri
        .path_and_query()
        .map_or_else(|| path.clone(), ToString::to_string);
    let fault = match &asked {
        Some(Ok(fate)) => fate.text.clone(),
        _ => "ok".to_owned(),
    };
    let attempt = |index| Attempt {
        index,
        at: shared.now(),
        method: parts.method.to_string(),
        path: whole,
        model: String::new(),
        served: String::new(),
        provider: String::new(),
        stream: false,
        headers: masked(&parts.headers),
        body: body.clone(),
        fault,
        status: None,
        outcome: Outcome::Running,
        pieces: 0,
        bytes: 0,
        ended_at: None,
        billed: crate::money::Cost::ZERO,
        generation_id: None,
    };
    let ticket = Ticket::open(Arc::clone(&shared), key.clone(), attempt);
    let (asked, wrong) = match asked {
        Some(Ok(fate)) => (Some(fate), None),
        Some(Err(wrong)) => (None, Some(wrong)),
        None => (None, None),
    };
    let call = Call {
        shared,
        connection,
        headers: parts.headers,
        key,
        body,
        asked,
        ticket,
        kept: None,
        api,
    };
    if let Some(wrong) = wrong {
        return call.refuse_plain(400, &format!("x-sim-fault: {wrong}"));
    }
    if too_large {
        return call.refuse(Refused::new(Refusal::TooLarge, &About::default(), &[]), &[]);
    }
    let Some(place) = place else {
        return call.refuse_plain(404, "Not Found");
    };
    dispatch(call, &parts.method, place, parts.uri.query().unwrap_or("")).await
}

async fn dispatch(call: Call, method: &Method, place: &str, query: &str) -> Response<Player> {
    let post = method == Method::POST;
    let generates = Api::of(place).is_some();
    let known = match place {
        _ if generates => post,
        "/models" | "/key" | "/auth/key" | "/credits" | "/generation" => method == Method::GET,
        other => method == Method::GET && (other.starts_with("/model/") || other.starts_with("/models/")),
    };
    if !known {
        return call.refuse_plain(404, "Not Found");
    }
    if !place.starts_with("/model")
        && let Err(refusal) = check_key(&call.shared, &call.key)
        && (post || refusal != Refusal::KeyLimit)
    {
        return call.refuse(Refused::new(refusal, &About::default(), &[]), &[]);
    }
    match place {
        _ if generates => generate::answer(call).await,
        "/models" => account::models(call, query).await,
        "/key" | "/auth/key" => account::key(call).await,
        "/credits" => account::credits(call).await,
        "/generation" => account::generation(call, query).await,
        other => {
            let offers = other
                .strip_prefix("/models/")
                .and_then(|rest| rest.strip_suffix("/endpoints"));
            match (offers, other.strip_prefix("/model/")) {
                (Some(id), _) => account::endpoints(call, &decode(id).unwrap_or_default()).await,
                (None, Some(id)) => account::model(call, &decode(id).unwrap_or_default()).await,
                (None, None) => call.refuse_plain(404, "Not Found"),
            }
        }
    }
}

/// The whole body, and whether it is too large (what is past the limit is read, but not kept).
async fn read(mut incoming: Incoming) -> Option<(Bytes, bool)> {
    let mut kept = BytesMut::new();
    let mut length = 0usize;
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            length = length.saturating_add(data.len());
            if length <= LARGEST {
                kept.extend_from_slice(&data);
            }
        }
    }
    Some((kept.freeze(), length > LARGEST))
}

/// The key of a request; empty if there is none. Clients of Messages send it in a header of their own.
fn key(headers: &HeaderMap, api: Api) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key)
    });
    let own = text("x-api-key").filter(|_| api == Api::Messages);
    bearer.or(own).unwrap_or_default().trim().to_owned()
}

fn wish(shared: &Shared, headers: &HeaderMap) -> Option<Result<Fate, FaultError>> {
    let text = headers.get("x-sim-fault")?.to_str().unwrap_or("?");
    Some(
        text.parse::<Step>()
            .map(|step| Fate::of(&step, &mut shared.lock().dice).without_down()),
    )
}

/// Headers as text, keys without all but their last four characters.
fn masked(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |name: &str, value: &[u8]| {
        let text = String::from_utf8_lossy(value);
        match name {
            "authorization" | "x-api-key" | "proxy-authorization" | "cookie" => mask(&text),
            _ => text.into_owned(),
        }
    };
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), shown(name.as_str(), value.as_bytes())))
        .collect()
}

/// `Bearer sk-or-v1-0123…` becomes `Bearer sk-or-v1-…cdef`.
pub(crate) fn mask(text: &str) -> String {
    let (scheme, key) = text.split_once(' ').map_or(("", text), |(scheme, key)| (scheme, key));
    let prefix = if key.starts_with("sk-or-v1-") { "sk-or-v1-" } else { "" };
    let characters: Vec<char> = key.chars().skip(prefix.len()).collect();
    let tail: String = characters.iter().skip(characters.len().saturating_sub(4)).collect();
    let tail = if characters.len() > 8 { tail } else { String::new() };
    let space = if scheme.is_empty() { "" } else { " " };
    format!("{scheme}{space}{prefix}…{tail}")
}

/// A response without a record.
pub(crate) fn bare(status: StatusCode, connection: ConnectionState) -> Response<Player> {
    let mut response = Response::new(Player::new(crate::track::Track::default(), None, connection));
    *response.status_mut() = status;
    response
}
