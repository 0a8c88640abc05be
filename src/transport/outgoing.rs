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

/// The content encodings that are read here. Without this header an upstream may use any, as RFC 9110 has it.
const READ_ENCODINGS: HeaderValue = HeaderValue::from_static("gzip, deflate");

/// Headers of the caller that go no further: those of the connection it came on; the encodings that it reads, which may be others than those that
/// are read here; and the time left is ours to keep, not the upstream's.
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

/// Headers that stand in nearly each request: the content's type, the encodings that are read, and what the HTTP client adds.
const OF_THE_CLIENT: usize = 6;

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
    headers.insert(header::ACCEPT_ENCODING, accepted(from_caller));
    if dialect == Dialect::Anthropic {
        of_anthropic(&mut headers);
    }
    headers
}

/// The encodings that the caller set, if all of them are read here: `identity` keeps an upstream from compressing. Else those that are.
fn accepted(from_caller: &HeaderMap) -> HeaderValue {
    let is_read = |value: &HeaderValue| {
        let mut names = value.as_bytes().split(|byte| *byte == b',').map(|named| {
            let name = named.split(|byte| *byte == b';').next().unwrap_or_default();
            name.trim_ascii()
        });
        let known: [&[u8]; 4] = [b"gzip", b"x-gzip", b"deflate", b"identity"];
        names.all(|name| known.iter().any(|known| name.eq_ignore_ascii_case(known)))
    };
    let mut set = from_caller.get_all(header::ACCEPT_ENCODING).iter();
    match (set.next(), set.next()) {
        (Some(only), None) if is_read(only) => only.clone(),
        _ => READ_ENCODINGS,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_gets_the_encodings_that_are_read() {
        for (set, sent) in [
            (&[][..], "gzip, deflate"),
            (&["identity"][..], "identity"),
            (&["GZIP;q=0.5, identity"][..], "GZIP;q=0.5, identity"),
            (&["gzip, deflate, br, zstd"][..], "gzip, deflate"),
            (&["br"][..], "gzip, deflate"),
            (&["*"][..], "gzip, deflate"),
            (&[""][..], "gzip, deflate"),
            (&["gzip", "br"][..], "gzip, deflate"),
        ] {
            let set = set
                .iter()
                .copied()
                .map(|value| (header::ACCEPT_ENCODING, HeaderValue::from_static(value)));
            let from_caller: HeaderMap = set.collect();
            let headers = headers(&from_caller, None, Dialect::OpenAi);
            let mut found = headers.get_all(header::ACCEPT_ENCODING).iter();
            assert_eq!(found.next().unwrap(), sent, "{from_caller:?}");
            assert!(found.next().is_none(), "{from_caller:?}");
        }
    }
}
