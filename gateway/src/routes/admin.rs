//! The admin side: access to it, and what there is.

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::json;

use super::ending::ending;
use crate::{
    OpenError,
    gateway::{Gateway, admin_token},
    keys::{KeyHash, RefusalLog, is_cross_site, refusals},
    page,
    server::Stages,
    settings::Config,
};

/// What the JSON routes begin with.
const JSON_ROUTES: &str = "/api/";

/// The longest text of a refusal that is put into JSON, in bytes.
const LONGEST_REFUSAL: usize = 64 << 10;

/// Access to the admin side.
#[derive(Debug, Clone)]
pub enum Admin {
    /// Any program of this machine that reaches this loopback address, but no proxy.
    Open,
    /// A request with the token, of which only the hash is kept.
    Token(KeyHash),
    /// No request: other machines reach the address, and there is no token.
    Off,
}

impl Admin {
    /// As these settings say.
    ///
    /// # Errors
    ///
    /// If the token cannot be read.
    pub fn new(config: &Config) -> Result<Self, OpenError> {
        if let Some(token) = admin_token(config)? {
            return Ok(Self::Token(KeyHash::of(token.expose_secret().as_bytes())));
        }
        let address = config.admin.unwrap_or(config.listen);
        Ok(if address.is_loopback() { Self::Open } else { Self::Off })
    }

    /// Whether a request may pass.
    fn admits(&self, request: &Request) -> bool {
        match self {
            Self::Open => !is_cross_site(request.headers(), request.uri()),
            Self::Token(hash) => presented(request.headers()).is_some_and(|token| KeyHash::of(&token) == *hash),
            Self::Off => false,
        }
    }

    /// Why a request may not pass, in a word.
    const fn word(&self) -> &'static str {
        match self {
            Self::Open => "cross_site",
            Self::Token(_) => "admin_token",
            Self::Off => "admin_off",
        }
    }

    /// The response to a request for this path that may not pass.
    fn refusal(&self, path: &str) -> Response {
        match self {
            Self::Open => {
                let message = "neither a page of another site nor a proxy may read this: set `admin.token`";
                refused(path, StatusCode::FORBIDDEN, message)
            }
            Self::Token(_) => {
                let message =
                    "the admin's token is needed, as a bearer token or as the password of basic authentication";
                let mut response = refused(path, StatusCode::UNAUTHORIZED, message);
                response.headers_mut().insert(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"openrouter-gateway\", charset=\"UTF-8\""),
                );
                response
            }
            Self::Off => {
                let message =
                    "other machines reach this address: set `admin.token`, or `admin.listen` to a loopback address";
                refused(path, StatusCode::FORBIDDEN, message)
            }
        }
    }
}

/// A refusal: JSON of a JSON route, else a line of text.
fn refused(path: &str, status: StatusCode, message: &str) -> Response {
    if path.starts_with(JSON_ROUTES) {
        problem(status, message)
    } else {
        (status, format!("{message}\n")).into_response()
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}

/// The token of a bearer, or the password of a browser.
fn presented(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = BASE64_STANDARD.decode(rest.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.get(colon + 1..).map(<[u8]>::to_vec)
}

/// The metrics, the page with its routes, and what an operator does to a gateway that runs.
pub(super) fn router(gateway: &Gateway, admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/api/pauses/lift", post(lift))
        .with_state(gateway.clone())
        .merge(page::router(gateway.view()))
        .route_layer(from_fn_with_state(Guard::new(gateway, admin), guard))
        // Beside the guard: the list of the routes is no secret, and a client key is not what is missing.
        .route("/api/{name}", any(nowhere))
}

/// What guards the routes.
#[derive(Clone)]
struct Guard {
    admin: Admin,
    stages: Stages,
    log: RefusalLog,
}

impl Guard {
    fn new(gateway: &Gateway, admin: Admin) -> Self {
        Self {
            admin,
            stages: gateway.stages().clone(),
            log: RefusalLog::default(),
        }
    }
}

async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if !guard.admin.admits(&request) {
        let path = request.uri().path();
        guard.log.refused(guard.admin.word(), None, path);
        return guard.admin.refusal(path);
    }
    let is_json = request.uri().path().starts_with(JSON_ROUTES);
    let response = next.run(request).await;
    let response = if is_json { in_json(response).await } else { response };
    ending(response, &guard.stages)
}

/// The response of a JSON route; if it refuses a request in plain text, such as a query that cannot be read, in JSON.
async fn in_json(response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json || !response.status().is_client_error() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let text = to_bytes(body, LONGEST_REFUSAL).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let message = match text.trim() {
        "" => head.status.canonical_reason().unwrap_or_default(),
        text => text,
    };
    let body = json!({ "error": { "message": message } }).to_string();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, Body::from(body))
}

async fn nowhere() -> Response {
    let message = "no such route: there are /api/calls, /api/spend, /api/health and /api/pauses/lift";
    problem(StatusCode::NOT_FOUND, message)
}

/// Ends all pauses that upstreams have requested.
async fn lift(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    // A browser sends a password that it was given with the forms of any site, and names the site.
    if headers.contains_key(header::ORIGIN) {
        return problem(
            StatusCode::FORBIDDEN,
            "a page may not do this: use a client such as curl",
        );
    }
    let lifted = gateway.stack().stack().pauses().lift_all();
    tracing::warn!(target: "gateway", lifted, "pauses lifted by an operator");
    Json(json!({ "lifted": lifted })).into_response()
}

async fn metrics(State(gateway): State<Gateway>) -> Response {
    match gateway.metrics().await {
        Some(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text + &refusals(),
        )
            .into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "the metrics of this process are recorded elsewhere\n",
        )
            .into_response(),
    }
}
