use std::{fmt, sync::Arc};

use http::{Extensions, HeaderMap, Request};
use tower_llm_layers::{Tags, tagging::TagsOf};

type Tell = dyn Fn(&HeaderMap, &Extensions) -> Option<Tags> + Send + Sync;

/// What a call is booked under: told from the headers and extensions of its request.
#[derive(Clone)]
pub struct CallTags(Option<Arc<Tell>>);

impl CallTags {
    /// Tells by this closure; `None` adds no tags.
    pub fn new(tell: impl Fn(&HeaderMap, &Extensions) -> Option<Tags> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// None but those that a request brings itself.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }
}

impl CallTags {
    pub(super) const fn describe(&self) -> &'static str {
        match self.0 {
            Some(_) => "told from the request, and its own",
            None => "the request's own",
        }
    }
}

impl<R> TagsOf<R> for CallTags {
    fn tags(&self, request: &Request<R>) -> Option<Tags> {
        self.0.as_ref()?(request.headers(), request.extensions())
    }
}

impl fmt::Debug for CallTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallTags")
    }
}
