//! The routes of clients: the library's endpoints behind their keys.

use std::sync::Arc;

use axum::Router;
use tower_openrouter::{ChatServiceExt, endpoint::Envelope};

use super::{
    OuterLayer,
    browser::{KnownOriginLayer, cors, origins},
    cut::CutShort,
    key,
    models::Models,
};
use crate::{
    gateway::Gateway,
    keys::{AuthLayer, Guarded},
    settings::Config,
};

/// What clients call. Any other path is the endpoints' own 404.
pub(super) fn router(gateway: &Gateway, config: &Config) -> Router {
    let endpoints = Guarded::new(CutShort::new(gateway.stack(), gateway.stages().clone()))
        .into_endpoints()
        .max_body_bytes(config.own.server.max_body_bytes)
        .max_total_body_bytes(config.own.server.max_total_body_bytes)
        .body_timeout(config.own.server.body_timeout.0);
    let models = |envelope| Models::new(gateway.stack().into_models_endpoint().envelope(envelope));
    let key = key::route(gateway);
    let router = Router::new()
        .route_service("/v1/models", models(Envelope::OpenAi))
        .route_service("/api/v1/models", models(Envelope::OpenRouter))
        .route_service("/v1/models/{*id}", models(Envelope::OpenAi))
        .route_service("/api/v1/models/{*id}", models(Envelope::OpenRouter))
        .route("/v1/key", key.clone())
        .route("/api/v1/key", key)
        .fallback_service(endpoints)
        .layer(gateway.calls().layer())
        .layer(AuthLayer::new(gateway.ring().clone()));
    let origins = origins(&config.own.server.cors);
    if origins.is_empty() {
        return router.layer(OuterLayer);
    }
    router
        .layer(KnownOriginLayer(Arc::clone(&origins)))
        .layer(OuterLayer)
        .layer(cors(&origins))
}
