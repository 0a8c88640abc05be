//! The list of models and each of them, without those that a client key does not allow.

use std::{
    convert::Infallible,
    future::Ready,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_openrouter::endpoint::{EndpointBody, ModelsEndpoint};
use tower_service::Service;

use crate::keys::ClientKey;

/// The list of models and each of them, without those that the caller's key does not allow.
#[derive(Debug, Clone)]
pub(super) struct Models(ModelsEndpoint);

impl Models {
    pub(super) const fn new(models: ModelsEndpoint) -> Self {
        Self(models)
    }
}

impl<B> Service<Request<B>> for Models {
    type Response = Response<EndpointBody>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let key = request.extensions().get::<Arc<ClientKey>>().cloned();
        match key.filter(|key| !key.models().is_empty()) {
            Some(key) => self.0.clone().filter(move |model| key.allows(model)).call(request),
            None => self.0.call(request),
        }
    }
}
