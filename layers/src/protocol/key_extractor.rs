//! Whom a request belongs to, as a layer is told.

use std::sync::{Arc, LazyLock};

use http::Request;

/// By which key a layer tells requests apart: a tenant, an API key, a model.
///
/// A closure from the request to an `Option<Arc<str>>` is one.
pub trait KeyExtractor<R> {
    /// The key; `None` where the layer is to leave this request alone: it is not limited, not kept and not shared.
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
    pub const KEY: &'static str = "(everyone)";
}

/// Made once, and not for each call.
static EVERYONE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(GlobalKey::KEY));

impl<R> KeyExtractor<R> for GlobalKey {
    fn key(&self, _: &Request<R>) -> Option<Arc<str>> {
        Some(Arc::clone(&EVERYONE))
    }
}
