//! The admin side: access to it, and what there is.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;

use super::ending::ending;
use crate::{
    OpenError,
    gateway::{Gateway, admin_token},
    keys::{KeyHash, RefusalLog, is_cross_site},
    page,
    server::Stages,
    settings::Config,
};

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

    /// The response to a request that may not pass.
    fn refusal(&self) -> Response {
        match self {
            Self::Open => (
                StatusCode::FORBIDDEN,
                "neither a page of another site nor a proxy may read this: set `admin.token`\n",
            )
                .into_response(),
            Self::Token(_) => {
                let message =
                    "the admin's token is needed, as a bearer token or as the password of basic authentication\n";
                let asks = [(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Basic realm=\"openrouter-gateway\", charset=\"UTF-8\""),
                )];
                (StatusCode::UNAUTHORIZED, asks, message).into_response()
            }
            Self::Off => {
                let message =
                    "other machines reach this address: set `admin.token`, or `admin.listen` to a loopback address\n";
                (StatusCode::FORBIDDEN, message).into_response()
            }
        }
    }
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

/// The metrics, and the page with its routes.
pub(super) fn router(gateway: &Gateway, admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(gateway.clone())
        .merge(page::router(gateway.view()))
        .route_layer(from_fn_with_state(Guard::new(gateway, admin), guard))
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
    if guard.admin.admits(&request) {
        ending(next.run(request).await, &guard.stages)
    } else {
        guard.log.refused(guard.admin.word(), request.uri().path());
        guard.admin.refusal()
    }
}

async fn metrics(State(gateway): State<Gateway>) -> Response {
    match gateway.metrics().await {
        Some(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "the metrics of this process are recorded elsewhere\n",
        )
            .into_response(),
    }
}
