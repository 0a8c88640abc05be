//! Clients in a browser: CORS for the pages of the origins that the settings name.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, header};
use tower_http::cors::{AllowHeaders, CorsLayer};
use tower_layer::Layer;
use tower_openrouter::endpoint::response_headers;
use tower_service::Service;

use crate::settings::origin;

/// How long a browser keeps the answer to a preflight.
const KEPT: Duration = Duration::from_secs(600);

/// The gateway's own id of a call.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// CORS for these origins. It stands outside the check of keys: a preflight has none, and a page must be able to read a refusal.
pub(super) fn cors(origins: &[HeaderValue]) -> CorsLayer {
    // What a page may read of a response beside its body and its type.
    let exposed: Vec<HeaderName> = response_headers().chain([REQUEST_ID]).collect();
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        // SDKs send many of their own; which may come is decided by the origin.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed)
        .max_age(KEPT)
}

/// The origins of the settings, which were checked.
pub(super) fn origins(texts: &[String]) -> Arc<[HeaderValue]> {
    texts.iter().filter_map(|text| origin(text).ok()).collect()
}

/// Makes the pages of these origins no other sites: a gateway that needs no key refuses those.
#[derive(Debug, Clone)]
pub(super) struct KnownOriginLayer(pub(super) Arc<[HeaderValue]>);

/// The service of [`KnownOriginLayer`].
#[derive(Debug, Clone)]
pub(super) struct KnownOrigin<S> {
    inner: S,
    origins: Arc<[HeaderValue]>,
}

impl<S> Layer<S> for KnownOriginLayer {
    type Service = KnownOrigin<S>;

    fn layer(&self, inner: S) -> KnownOrigin<S> {
        KnownOrigin {
            inner,
            origins: Arc::clone(&self.0),
        }
    }
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for KnownOrigin<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let origin = request.headers().get(header::ORIGIN);
        if origin.is_some_and(|origin| self.origins.contains(origin)) {
            request.headers_mut().remove(header::ORIGIN);
        }
        self.inner.call(request)
    }
}
