//! One request on its way to an answer.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::connection::ConnectionState;
use crate::fault::{Fault, Refusal};
use crate::plans::{Fate, Plans};
use crate::report::Outcome;
use crate::stage::{Player, plain};
use crate::state::Shared;
use crate::ticket::Ticket;
use crate::track::Track;
use crate::wire::error::{About, Refused, page};
use crate::wire::{Api, error_of_another};

/// A request that was read and recorded.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connection: ConnectionState,
    pub(crate) headers: HeaderMap,
    pub(crate) key: String,
    pub(crate) body: Bytes,
    /// What the header `x-sim-fault` requests.
    pub(crate) asked: Option<Fate>,
    pub(crate) ticket: Ticket,
    /// What the router's own cache of answers had, if it was used.
    pub(crate) kept: Option<bool>,
    /// The API whose shapes the answer has.
    pub(crate) api: Api,
}

impl Call {
    /// Whether the router's own cache has the answer to this very request; from now on it has, if the request asks for that.
    pub(crate) fn is_kept(&mut self) -> bool {
        if self.header("x-openrouter-cache").as_deref() != Some("true") {
            return false;
        }
        let seconds = self
            .header("x-openrouter-cache-ttl")
            .and_then(|ttl| ttl.parse().ok())
            .unwrap_or(300);
        let hit = self
            .shared
            .lock()
            .response_cache
            .look(&self.key, &self.body, Duration::from_secs(seconds));
        self.kept = Some(hit);
        hit
    }

    /// What befalls this request to a model or a path: the header's wish, or the plan's next step.
    pub(crate) fn fate(&self, model: &str) -> Fate {
        if let Some(asked) = &self.asked {
            return asked.clone();
        }
        let state = &mut *self.shared.lock();
        state.plans.next(model, &mut state.dice)
    }

    /// What befalls this request at a provider; nothing if that has no plan.
    pub(crate) fn fate_of_provider(&self, provider: &str) -> Option<Fate> {
        let state = &mut *self.shared.lock();
        let name = Plans::of_provider(provider);
        let planned = state.plans.has(&name);
        planned.then(|| state.plans.next(&name, &mut state.dice))
    }

    /// A request header.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
    }

    /// Whether the caller wants `openrouter_metadata`.
    pub(crate) fn wants_metadata(&self) -> bool {
        let on = |name| {
            self.header(name)
                .is_some_and(|value| value.eq_ignore_ascii_case("enabled"))
        };
        on("x-openrouter-metadata") || on("x-openrouter-experimental-metadata")
    }

    /// Plays what comes before a status: silence, a closed connection, a reset.
    pub(crate) async fn before_headers(&mut self, faults: &[Fault]) {
        for fault in faults {
            match fault {
                Fault::SlowHeaders(length) => tokio::time::sleep(*length).await,
                Fault::Hang => pending().await,
                Fault::Reset => {
                    self.ticket.end(Outcome::Interrupted);
                    self.connection.reset();
                    pending::<()>().await;
                }
                Fault::Close => {
                    self.ticket.end(Outcome::Interrupted);
                    self.connection.close();
                    pending::<()>().await;
                }
                _ => {}
            }
        }
    }

    /// Answers an error.
    pub(crate) fn refuse(self, refused: Refused, faults: &[Fault]) -> Response<Player> {
        let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = match refused.html {
            Some(_) => "text/html; charset=UTF-8",
            None => "application/json",
        };
        let other = || error_of_another(&refused.json, refused.status, faults);
        let own = || self.api.envelope(refused.json.clone(), refused.status).to_string();
        let body = refused.html.clone().or_else(other).unwrap_or_else(own);
        let track = bytes_only(body.into_bytes(), faults);
        let mut response = self.send(status, kind, track, None);
        for (name, value) in refused.headers {
            let value = HeaderValue::from_str(&value);
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    /// Answers an error that is in no plan.
    pub(crate) fn refuse_plain(self, status: u16, message: &str) -> Response<Player> {
        self.refuse(Refused::plain(status, message), &[])
    }

    /// Answers JSON with status 200, under the clauses of the path's plan.
    pub(crate) async fn json(mut self, path: &str, body: Vec<u8>) -> Response<Player> {
        let fate = self.fate(path);
        self.ticket.note(|attempt| attempt.fault.clone_from(&fate.text));
        self.before_headers(&fate.faults).await;
        match fate.refusal() {
            Some(refusal) => self.refuse(Refused::new(refusal, &About::default(), &fate.faults), &fate.faults),
            None => self.body(body, 1, &fate.faults, None),
        }
    }

    /// Sends a plain body, or the HTML page that stands in its place.
    pub(crate) fn body(self, body: Vec<u8>, pieces: u64, faults: &[Fault], id: Option<&str>) -> Response<Player> {
        if faults.contains(&Fault::Html) {
            return self.send(
                StatusCode::OK,
                "text/html; charset=UTF-8",
                bytes_only(page(200).into_bytes(), faults),
                None,
            );
        }
        let track = plain::track(body, pieces, faults);
        self.send(StatusCode::OK, "application/json", track, id)
    }

    /// Sends headers, then plays a track.
    pub(crate) fn send(
        self,
        status: StatusCode,
        kind: &'static str,
        track: Track,
        id: Option<&str>,
    ) -> Response<Player> {
        let (length, gzip, other_kind) = (track.length, track.gzip, track.content_type.clone());
        self.ticket.note(|attempt| {
            attempt.status = Some(status.as_u16());
            attempt.generation_id = id.map(str::to_owned);
        });
        let mut response = Response::new(Player::new(track, Some(self.ticket), self.connection));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static(kind));
        match other_kind.map(|kind| (kind.is_empty(), HeaderValue::try_from(kind))) {
            Some((false, Ok(kind))) => drop(headers.insert("content-type", kind)),
            Some((true, _)) => drop(headers.remove("content-type")),
            _ => {}
        }
        if gzip {
            headers.insert("content-encoding", HeaderValue::from_static("gzip"));
        }
        headers.insert("server", HeaderValue::from_static("cloudflare"));
        headers.insert("cf-ray", HeaderValue::from_static("9a1b2c3d4e5f6789-AMS"));
        if kind == "text/event-stream" {
            headers.insert("cache-control", HeaderValue::from_static("no-cache"));
        }
        if let Some(hit) = self.kept {
            let status = if hit { "HIT" } else { "MISS" };
            headers.insert("x-openrouter-cache-status", HeaderValue::from_static(status));
        }
        if let Some(length) = length {
            headers.insert("content-length", HeaderValue::from(length));
        }
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert("x-generation-id", id);
        }
        response
    }
}

/// A body under those clauses alone that concern any bytes.
fn bytes_only(body: Vec<u8>, faults: &[Fault]) -> Track {
    let track = Track::whole(body).shaped(faults);
    let length = track.bytes();
    track.sized(length)
}

/// The refusal of a key: none, unknown, or over its limit.
pub(crate) fn check_key(shared: &Shared, key: &str) -> Result<(), Refusal> {
    let state = shared.lock();
    if key.is_empty() {
        return Err(Refusal::NoKey);
    }
    let limit = match state.config.keys.get(key) {
        Some(limit) => *limit,
        None if state.config.keys.is_empty() && key.starts_with("sk-or-v1-") => None,
        None => return Err(Refusal::Unauthorized),
    };
    let spent = state.spent.get(key).copied().unwrap_or_default();
    if limit.is_some_and(|limit| spent >= limit) {
        return Err(Refusal::KeyLimit);
    }
    Ok(())
}
