//! The layer of tags.

use std::sync::Arc;

use http::Request;
use tower_layer::Layer;

use super::Tagging;
use crate::Tags;

/// Extracts what a request is accounted under. Any closure over the request is one.
pub trait TagExtractor<R> {
    /// The tags, if there are some.
    fn tags(&self, request: &Request<R>) -> Option<Tags>;
}

impl<R, F: Fn(&Request<R>) -> Option<Tags>> TagExtractor<R> for F {
    fn tags(&self, request: &Request<R>) -> Option<Tags> {
        self(request)
    }
}

/// Sets the tags that a call is accounted under. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct TaggingLayer<X> {
    tags_of: X,
    required: Option<Arc<str>>,
}

impl<X> TaggingLayer<X> {
    /// Tags extracted by this.
    #[must_use]
    pub const fn new(tags_of: X) -> Self {
        Self {
            tags_of,
            required: None,
        }
    }

    /// Refuses a call without this tag, e.g. `tenant`: a call that belongs to no tenant counts against no tenant's budget or limit.
    #[must_use]
    pub fn require(mut self, name: &str) -> Self {
        self.required = Some(name.into());
        self
    }
}

impl<S, X: Clone> Layer<S> for TaggingLayer<X> {
    type Service = Tagging<S, X>;

    fn layer(&self, inner: S) -> Self::Service {
        Tagging {
            inner,
            tags_of: self.tags_of.clone(),
            required: self.required.clone(),
        }
    }
}
