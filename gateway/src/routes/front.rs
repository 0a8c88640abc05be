//! What answers an address from the first moment of a start: that the process lives and takes no calls yet, until the routes are there.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use axum::{Json, Router, body::Body, routing::get};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use serde_json::json;
use tower_openrouter::endpoint::Refusal;
use tower_service::Service;

use super::{OuterLayer, health};

/// The routes of an address, once they are there. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    routes: Arc<OnceLock<Router>>,
    starting: Router,
}

impl Front {
    /// Says at `/readyz` why no calls are taken yet.
    pub(crate) fn starting(reason: &'static str) -> Self {
        let unready = move || async move {
            let reason = json!({ "status": "unready", "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(reason))
        };
        let starting = Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(unready))
            .fallback(|uri: Uri| async move { not_yet(&uri) })
            .layer(OuterLayer);
        Self {
            routes: Arc::default(),
            starting,
        }
    }

    /// These answer from now on.
    pub(crate) fn open(&self, routes: Router) {
        // It is opened once.
        drop(self.routes.set(routes));
    }
}

fn not_yet(uri: &Uri) -> Response<Body> {
    let message = "the gateway is starting and takes no calls yet: try again in a second";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message)
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .into_response(uri.path())
        .map(Body::new)
}

impl<B> Service<Request<B>> for Front
where
    Router: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Router as Service<Request<B>>>::Future;

    /// A router is always ready.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.routes.get().unwrap_or(&self.starting).clone().call(request)
    }
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_start_is_alive_and_not_ready_and_takes_no_calls_until_the_routes_are_there() {
        let front = Front::starting("the ledger is read");
        let get = async |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            front.clone().oneshot(request).await.unwrap()
        };
        assert_eq!(get("/healthz").await.status(), 200);
        assert_eq!(get("/readyz").await.status(), 503);
        for path in ["/v1/chat/completions", "/v1/messages", "/", "/metrics"] {
            let said = get(path).await;
            assert_eq!(
                (said.status().as_u16(), &said.headers()["retry-after"]),
                (503, &"1".parse().unwrap()),
                "{path}"
            );
        }
        front.open(Router::new().route("/", get_of("page")));
        assert_eq!(get("/").await.status(), 200);
        assert_eq!(get("/readyz").await.status(), 404);
    }

    fn get_of(text: &'static str) -> axum::routing::MethodRouter {
        get(move || async move { text })
    }
}
