//! The rate limits of client keys: a layer around each call that is sent upstream.

use std::{
    mem,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_layer::Layer;
use tower_openrouter::{
    ApiRequest, ChatFrame, Error,
    layers::rate_limit::{RateLimitBody, RateLimitFuture, RateLimitLayer},
    stack::{ErasedService, StackBody},
};
use tower_service::Service;

use super::{ClientKey, ring::KeyName};

/// Limits each call by its client key, which is in the request's extensions. A call without a key is not limited.
///
/// # Errors
///
/// 429 with the limit and the time to wait.
///
/// # Cancellation
///
/// A call that is dropped gives its place back.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyLimitsLayer;

/// The service of [`KeyLimitsLayer`].
#[derive(Clone)]
pub struct KeyLimits {
    inner: Inner,
}

type Inner = ErasedService<ApiRequest, ChatFrame, Error>;

/// For a call without limits.
static OFF: LazyLock<RateLimitLayer<KeyName>> = LazyLock::new(|| RateLimitLayer::off(KeyName::none()));

impl Layer<Inner> for KeyLimitsLayer {
    type Service = KeyLimits;

    fn layer(&self, inner: Inner) -> KeyLimits {
        KeyLimits { inner }
    }
}

impl Service<Request<ApiRequest>> for KeyLimits {
    type Response = Response<RateLimitBody<StackBody>>;
    type Error = Error;
    type Future = RateLimitFuture<Inner, ApiRequest>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ApiRequest>) -> Self::Future {
        let clone = self.inner.clone();
        let ready = mem::replace(&mut self.inner, clone);
        let key = request.extensions().get::<Arc<ClientKey>>().cloned();
        let limits = key.as_deref().and_then(ClientKey::limits).unwrap_or(&OFF);
        limits.layer(ready).call(request)
    }
}

impl std::fmt::Debug for KeyLimits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyLimits")
    }
}
