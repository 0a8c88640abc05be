//! A stack over a service in process, mounted without a server.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response, response::Parts};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{Service, ServiceExt, service_fn};
use tower_openrouter::{Api, ApiKey, ApiRequest, ChatBody, Error, Stack, endpoint::EndpointBody};

/// The stack's own key: no answer may have it.
pub(crate) const KEY: &str = "sk-or-v1-s3cr3t";

/// A stack with one candidate, whose calls do this.
pub(crate) fn stack_over<F>(inner: F) -> Stack
where
    F: Fn(Request<ApiRequest>) -> Result<ChatBody, Error> + Clone + Send + Sync + 'static,
{
    let service = service_fn(
        move |request: Request<ApiRequest>| -> BoxFuture<'static, Result<Response<ChatBody>, Error>> {
            let result = inner(request).map(Response::new);
            Box::pin(async move { result })
        },
    );
    Stack::openrouter(ApiKey::new(KEY).unwrap())
        .chain(["demo/model"])
        .attempts_per_candidate(1)
        .build_over(service)
        .unwrap()
}

/// The head and the text of the response. It never has the stack's key.
pub(crate) async fn send<S>(service: S, request: Request<Full<Bytes>>) -> (Parts, String)
where
    S: Service<Request<Full<Bytes>>, Response = Response<EndpointBody>>,
    S::Error: std::fmt::Debug,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().into()).unwrap();
    assert!(!text.contains(KEY) && !format!("{parts:?}").contains(KEY));
    (parts, text)
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path).body(Full::new(body.into())).unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A small request to this API.
pub(crate) const fn ask(api: Api) -> &'static str {
    match api {
        Api::Responses => r#"{"model":"demo/model","input":"Hi"}"#,
        Api::Messages => r#"{"model":"demo/model","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#,
        Api::Embeddings => r#"{"model":"demo/model","input":["Hi"]}"#,
        _ => r#"{"model":"demo/model","messages":[{"role":"user","content":"Hi"}]}"#,
    }
}
