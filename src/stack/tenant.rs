use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request};
use tower_llm_layers::{Everyone, rate_limit::KeyOf};

type Tell = dyn Fn(&HeaderMap, &Extensions) -> Option<Arc<str>> + Send + Sync;

/// Whose limits a call counts against: told from the headers and extensions of its request.
#[derive(Clone)]
pub struct TenantKey(Arc<Tell>);

impl TenantKey {
    /// Tells by this closure; `None` is a call that is not limited.
    pub fn new(tell: impl Fn(&HeaderMap, &Extensions) -> Option<Arc<str>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// One tenant: everybody together.
    #[must_use]
    pub fn everyone() -> Self {
        let all: Arc<str> = Arc::from(Everyone::KEY);
        Self::new(move |_, _| Some(Arc::clone(&all)))
    }
}

impl<R> KeyOf<R> for TenantKey {
    fn key(&self, request: &Request<R>) -> Option<Arc<str>> {
        (self.0)(request.headers(), request.extensions())
    }
}

impl fmt::Debug for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantKey")
    }
}
