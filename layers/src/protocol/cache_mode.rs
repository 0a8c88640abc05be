//! How a request uses the cache: what its headers say, else its call.

use http::{HeaderMap, Request, header::CACHE_CONTROL};

use super::LlmRequest;
use crate::CacheMode;

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
