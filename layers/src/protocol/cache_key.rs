//! What distinguishes two requests that want different answers.

use std::fmt;

use http::HeaderName;

/// What the answer to a request depends on: the `cache` layer finds earlier responses by it.
///
/// Implement it beside [`LlmRequest`](crate::LlmRequest). Write everything that may change the answer, in a form that does not
/// depend on how the request was written down (sort the members of objects), and nothing else: neither the user's name nor
/// tags. If an answer to a streamed request cannot be replayed to a plain one, whether it is streamed belongs to the key.
pub trait CacheKey {
    /// Writes what the answer depends on.
    fn write_key(&self, key: &mut KeyWriter<'_>);

    /// The requested temperature, if the request sets one; for caches that keep only answers at temperature 0.
    fn requested_temperature(&self) -> Option<f64> {
        None
    }

    /// Whether the answer may be cached and coalesced at all; `false` if the request asks not to be stored.
    fn is_cacheable(&self) -> bool {
        true
    }

    /// Whether the answer is the same whatever this header of the request says. `false` by default: a header goes to the upstream, so it is
    /// part of the key beside what [`write_key`](Self::write_key) writes. One that is left out here by mistake costs a miss; one that is
    /// ignored by mistake gives a caller another one's answer.
    ///
    /// It is not called for a header that [changes no answer](is_irrelevant_header) anywhere.
    fn ignores_header(&self, name: &HeaderName) -> bool {
        let _ = name;
        false
    }
}

/// Whether a header of a request changes no answer of any upstream, and is therefore no part of a key.
///
/// These are the headers of the connection (`host`, `connection`, `keep-alive`, `proxy-connection`, `proxy-authorization`, `te`, `trailer`,
/// `transfer-encoding`, `upgrade`, `expect`), of the form of the message (`content-length`, `content-type`, `accept`, `accept-encoding`),
/// of the client and its trace (`user-agent`, `traceparent`, `tracestate`, `baggage`, `b3`, `x-request-id`, `x-correlation-id`), and those
/// that the layers read themselves (`cache-control`, `idempotency-key`, `x-request-timeout-ms`).
#[must_use]
pub fn is_irrelevant_header(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "content-length"
            | "content-type"
            | "accept"
            | "accept-encoding"
            | "user-agent"
            | "traceparent"
            | "tracestate"
            | "baggage"
            | "b3"
            | "x-request-id"
            | "x-correlation-id"
            | "cache-control"
            | "idempotency-key"
            | "x-request-timeout-ms"
    )
}

/// Takes in what an answer depends on. See [`CacheKey::write_key`].
pub struct KeyWriter<'a>(&'a mut dyn FnMut(&[u8]));

impl<'a> KeyWriter<'a> {
    /// Hands each part on to this closure.
    pub fn new(take: &'a mut dyn FnMut(&[u8])) -> Self {
        Self(take)
    }

    /// Writes one part. Two neighbours never run together: `ab`, `c` is another key than `a`, `bc`.
    pub fn part(&mut self, part: &[u8]) {
        (self.0)(part);
    }
}

impl fmt::Debug for KeyWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyWriter")
    }
}
