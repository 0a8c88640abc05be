//! How a layer finds the key of a request, such as its tenant.

use std::sync::{Arc, LazyLock};

use http::Request;

/// Extracts the key by which a layer distinguishes requests: a tenant, an API key, a model.
///
/// A closure from the request to an `Option<Arc<str>>` is one.
pub trait KeyExtractor<R> {
    /// The key; `None` if the layer is to leave this request alone: it is not limited, not cached and not coalesced.
    fn key(&self, request: &Request<R>) -> Option<Arc<str>>;
}

impl<R, F> KeyExtractor<R> for F
where
    F: Fn(&Request<R>) -> Option<Arc<str>>,
{
    fn key(&self, request: &Request<R>) -> Option<Arc<str>> {
        self(request)
    }
}

/// One key for all requests: one limit over all, or one cache that every tenant reads.
#[derive(Debug, Clone, Copy, Default)]
pub struct GlobalKey;

impl GlobalKey {
    /// The key. Not an empty one, so that a tenant without a name is not taken for all.
    pub const KEY: &'static str = "(global)";
}

/// Made once, and not for each call.
static GLOBAL: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(GlobalKey::KEY));

impl<R> KeyExtractor<R> for GlobalKey {
    fn key(&self, _: &Request<R>) -> Option<Arc<str>> {
        Some(Arc::clone(&GLOBAL))
    }
}
