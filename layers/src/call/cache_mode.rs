//! How one call uses the cache.

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
