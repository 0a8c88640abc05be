//! What goes out to an upstream beside the body: whether it takes the call at all, and the headers.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use tower_llm_layers::deadline::DEADLINE_HEADER;

use super::Upstream;
use super::wire::WireRequest;
use crate::dialect::Dialect;
use crate::{Error, FailureKind};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The oldest version there is: it takes what the newer ones take, and sampling fields as well.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Headers of the caller that go no further: those of the connection it came on; what came compressed would not be read here; and the time
/// left is ours to keep, not the upstream's.
static NOT_PASSED: [HeaderName; 12] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    header::ACCEPT_ENCODING,
    DEADLINE_HEADER,
];

/// Headers that stand in nearly each request: the content's type, and what the HTTP client adds.
const OF_THE_CLIENT: usize = 5;

/// The caller's headers that are passed on, and what the upstream wants.
pub(super) fn headers(from_caller: &HeaderMap, extra: Option<&HeaderMap>, dialect: Dialect) -> HeaderMap {
    let most = from_caller.len() + extra.map_or(0, HeaderMap::len) + OF_THE_CLIENT;
    let mut headers = HeaderMap::with_capacity(most);
    for (name, value) in from_caller {
        if !NOT_PASSED.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    for (name, value) in extra.into_iter().flatten() {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if dialect == Dialect::Anthropic {
        of_anthropic(&mut headers);
    }
    headers
}

/// What this upstream never takes; another one may.
pub(super) fn refused_by<R: WireRequest>(upstream: &Upstream, body: &R) -> Result<(), Error> {
    if let Some(api) = body.api().filter(|api| !upstream.supports(*api)) {
        let name = upstream.name();
        let message =
            format!("`{name}` does not support {api}: name another upstream, or set `Upstream::apis` if it does");
        return Err(Error::new(FailureKind::NoEndpoint, message));
    }
    body.check_for(upstream.dialect()).map_err(|problem| {
        let message = problem.to_string();
        let advice = FailureKind::RejectedByProvider.advice();
        Error::caused(FailureKind::BadRequest, message, problem).advised(advice)
    })
}

/// What Anthropic wants in place of a bearer's key.
fn of_anthropic(headers: &mut HeaderMap) {
    let key = headers.get(header::AUTHORIZATION).and_then(|value| {
        let key = value.as_bytes().strip_prefix(b"Bearer ")?;
        HeaderValue::from_bytes(key).ok()
    });
    if let Some(mut key) = key {
        key.set_sensitive(true);
        headers.remove(header::AUTHORIZATION);
        headers.insert(X_API_KEY, key);
    }
    headers.entry(ANTHROPIC_VERSION).or_insert(DEFAULT_VERSION);
}
