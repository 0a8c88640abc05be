//! The service of tags.

use std::{fmt, sync::Arc};

use http::Request;
use tower_service::Service;

use super::{TagExtractor, TaggingFuture};
use crate::{
    LayerError, LlmRequest, Tags,
    util::{inner_accessors, ready_as_inner},
    watch::{Pass, WatchFuture},
};

/// The service of [`TaggingLayer`](super::TaggingLayer).
#[derive(Clone)]
pub struct Tagging<S, X> {
    pub(super) inner: S,
    pub(super) tags_of: X,
    pub(super) required: Option<Arc<str>>,
}

impl<S, X> Tagging<S, X> {
    inner_accessors!();
}

impl<S: fmt::Debug, X> fmt::Debug for Tagging<S, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tagging")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

impl<S, R, X> Service<Request<R>> for Tagging<S, X>
where
    S: Service<Request<R>>,
    S::Error: From<LayerError>,
    R: LlmRequest,
    X: TagExtractor<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TaggingFuture<S::Future, S::Error>;

    ready_as_inner!();

    fn call(&mut self, mut request: Request<R>) -> Self::Future {
        if let Some(told) = self.tags_of.tags(&request) {
            let call = request.body_mut().call_mut();
            let own = call.tags();
            let all = if own.is_empty() {
                Ok(told)
            } else {
                Tags::new(told.iter().chain(own.iter()))
            };
            match all {
                Ok(all) => call.set_tags(all),
                Err(error) => tracing::warn!(target: "llm::cost", %error, "tags left out"),
            }
        }
        let has = |name: &str| request.body().call().tags().get(name).is_some();
        if let Some(name) = self.required.as_deref().filter(|name| !has(name)) {
            let name = name.to_owned();
            return WatchFuture::refused(LayerError::MissingTag { name }.into());
        }
        WatchFuture::calling(self.inner.call(request), Pass)
    }
}
