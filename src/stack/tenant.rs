//! The tenant of a call.

use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request};
use tower_llm_layers::{GlobalKey, KeyExtractor, LlmRequest, Tags};

type Extract = dyn Fn(&HeaderMap, &Extensions, &Tags) -> Option<Arc<str>> + Send + Sync;

/// The tenant of a call, for its limits, and for what may be cached and coalesced: extracted from its tags, or from the headers and
/// extensions of its request.
///
/// Of a name over 256 bytes limits keep the beginning and a hash; the cache keeps a hash of every name.
///
/// A call without a tenant is **not limited**, and bypasses the cache. A tag's name is not checked: if it is misspelt, no call has a tenant.
///
/// Behind the endpoint, use tags or another extension that a middleware has put there: a client's headers get no further than
/// the endpoint, but for those it [passes on](crate::endpoint::OpenAiEndpoint::pass_header), and these go to the upstream, too.
///
/// ```
/// use tower_openrouter::stack::TenantKey;
///
/// // Set by `ChatRequest::tags`, or by middleware with `Tags` in the request's extensions.
/// let by_tag = TenantKey::tag("tenant");
/// // For services that call the stack themselves.
/// let by_header = TenantKey::new(|headers, _| Some(headers.get("x-tenant")?.to_str().ok()?.into()));
/// ```
#[derive(Clone)]
pub struct TenantKey(Arc<Extract>);

impl TenantKey {
    /// Uses the tag of this name.
    #[must_use]
    pub fn tag(name: &str) -> Self {
        let name = name.to_owned();
        Self(Arc::new(move |_, _, tags| tags.get(&name).map(Arc::from)))
    }

    /// Uses this closure; `None` is a call without a tenant.
    pub fn new(extract: impl Fn(&HeaderMap, &Extensions) -> Option<Arc<str>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |headers, extensions, _| extract(headers, extensions)))
    }

    /// One tenant: all callers together.
    #[must_use]
    pub fn global() -> Self {
        let all: Arc<str> = Arc::from(GlobalKey::KEY);
        Self(Arc::new(move |_, _, _| Some(Arc::clone(&all))))
    }
}

impl<R: LlmRequest> KeyExtractor<R> for TenantKey {
    fn key(&self, request: &Request<R>) -> Option<Arc<str>> {
        (self.0)(request.headers(), request.extensions(), request.body().call().tags())
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey")
    }
}
