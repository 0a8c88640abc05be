//! How one call uses the cache.

use http::{HeaderMap, Request, header::CACHE_CONTROL};

use crate::LlmRequest;

/// How one call uses the cache: see [`Call::set_cache_mode`](crate::Call::set_cache_mode).
///
/// A header `Cache-Control: no-store` makes it a [`Bypass`](Self::Bypass), whatever the call says; no other word of that header
/// is heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CacheMode {
    /// A cached response if there is one, or the one in flight; a new response is cached.
    #[default]
    Default,
    /// A new response, whatever is cached or in flight; it is cached, and others may share it.
    Refresh,
    /// Nothing is read, cached or coalesced.
    Bypass,
    /// A cached response, or [`LayerError::CacheMiss`](crate::LayerError::CacheMiss): the upstream is never called.
    OnlyIfCached,
}

impl CacheMode {
    /// How this request uses the cache: for a [`Degradation`](crate::degrade::Degradation), which must not return a stale response to a caller that bypasses it.
    #[must_use]
    pub fn of<R: LlmRequest>(request: &Request<R>) -> Self {
        if forbids_storing(request.headers()) {
            return Self::Bypass;
        }
        request.body().call().cache_mode()
    }
}

fn forbids_storing(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CACHE_CONTROL).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case("no-store"))
}
