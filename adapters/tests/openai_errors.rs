//! Failures, as async-openai's own error, and no call that it repeats.

use std::io;

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::{ApiErrorResponse, OpenAIError},
    middleware::{
        HttpRequestFactory,
        retry::{OpenAIRetryLayer, SimpleRetryPolicy},
    },
};
use futures_util::StreamExt;
use http::{Request, Response};
use reqwest::Body;
use tower::{Service, ServiceBuilder, service_fn};
use tower_openrouter::ChatServiceExt;
use tower_openrouter_adapters::{AsyncOpenAiTransport, stream_error};

use crate::{
    openai_chat::{client, question},
    support::{QUESTION, WORDS, calls, world},
};

fn api_error(error: OpenAIError) -> ApiErrorResponse {
    match error {
        OpenAIError::ApiError(error) => error,
        other => panic!("not an API error: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn each_class_of_error_has_its_status_type_code_and_words() {
    for (plan, status, kind, code, words) in [
        ("400", 400, "invalid_request_error", "invalid_request", "temperature"),
        (
            "400-policy",
            400,
            "invalid_request_error",
            "content_policy_violation",
            "content policy",
        ),
        ("401", 502, "api_error", "upstream_auth", ""),
        ("402", 503, "api_error", "upstream_unaffordable", ""),
        (
            "403",
            403,
            "permission_error",
            "upstream_forbidden",
            "Permission denied",
        ),
        ("404", 404, "invalid_request_error", "model_not_found", "No endpoints"),
        ("413", 413, "invalid_request_error", "invalid_request", "too large"),
        (
            "422",
            422,
            "invalid_request_error",
            "invalid_request",
            "Invalid argument",
        ),
        (
            "429-upstream;retry-after=40",
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate-limited",
        ),
        ("500", 502, "api_error", "upstream", ""),
        ("502", 502, "api_error", "upstream", "upstream connect error"),
        (
            "503",
            503,
            "api_error",
            "upstream_overloaded",
            "temporarily unavailable",
        ),
        ("504", 504, "api_error", "upstream_timeout", "timeout"),
        ("520", 502, "api_error", "upstream", ""),
        (
            "error=503;words=3",
            503,
            "api_error",
            "upstream_overloaded",
            "overloaded",
        ),
    ] {
        let (_simulator, stack) = world(plan, plan).await;
        let client = client(stack);
        let plain = client.chat().create(question(QUESTION)).await.unwrap_err();
        let plain = api_error(plain);
        let found = &plain.api_error;
        assert_eq!(plain.status_code.as_u16(), status, "{plan}: {plain}");
        assert_eq!(
            (found.r#type.as_deref(), found.code.as_deref()),
            (Some(kind), Some(code)),
            "{plan}: {plain}"
        );
        assert!(found.message.contains(words), "{plan}: {plain}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_begins_is_the_same_error() {
    let (_simulator, stack) = world("403", "403").await;
    let error = client(stack)
        .chat()
        .create_stream(question(QUESTION))
        .await
        .err()
        .unwrap();
    let error = api_error(error);
    assert_eq!(error.status_code.as_u16(), 403);
    assert_eq!(error.api_error.code.as_deref(), Some("upstream_forbidden"));
}

#[tokio::test(start_paused = true)]
async fn the_base_url_of_openrouter_makes_no_difference() {
    let (_simulator, stack) = world("404", "404").await;
    let config = OpenAIConfig::new()
        .with_api_base("https://openrouter.ai/api/v1")
        .with_api_key("unused");
    let client = Client::with_config(config).with_http_service(AsyncOpenAiTransport::new(stack));
    let error = api_error(client.chat().create(question(QUESTION)).await.unwrap_err());
    assert_eq!(error.api_error.code.as_deref(), Some("model_not_found"));
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_chat_is_an_error_that_can_be_read() {
    for (plan, code) in [("words=9;cut@4", "truncated"), ("words=9;error=502@4", "upstream")] {
        let (_simulator, stack) = world(plan, "ok").await;
        let mut stream = client(stack).chat().create_stream(question(QUESTION)).await.unwrap();
        let (mut said, mut failed) = (String::new(), None);
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => said += chunk.choices[0].delta.content.as_deref().unwrap_or_default(),
                Err(error) => failed = Some(error),
            }
        }
        assert_eq!(said.trim_end(), WORDS);
        let why = stream_error(&failed.unwrap()).unwrap();
        assert_eq!(why.status_code.as_u16(), 502, "{plan}");
        assert_eq!(why.api_error.code.as_deref(), Some(code), "{plan}");
        assert!(!why.api_error.message.is_empty(), "{plan}");
    }
    let other = OpenAIError::InvalidArgument("no stream".to_owned());
    assert!(stream_error(&other).is_none());
}

/// How many calls of models the upstream sees if one call fails behind this service.
async fn calls_behind<S, L>(layer: L) -> usize
where
    L: Fn(AsyncOpenAiTransport) -> S,
    S: Service<HttpRequestFactory, Response = reqwest::Response, Error = OpenAIError, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let (simulator, stack) = world("503", "503").await;
    let config = OpenAIConfig::new()
        .with_api_base("https://api.openai.com/v1")
        .with_api_key("unused");
    let client = Client::with_config(config).with_http_service(layer(AsyncOpenAiTransport::new(stack)));
    let error = client.chat().create(question(QUESTION)).await.unwrap_err();
    assert_eq!(api_error(error).status_code.as_u16(), 503);
    calls(&simulator)
}

#[tokio::test(start_paused = true)]
async fn no_retry_stands_on_top_of_the_stacks_own() {
    assert_eq!(calls_behind(|transport| transport).await, 2);
    let behind_layer = calls_behind(|transport| {
        ServiceBuilder::new()
            .layer(OpenAIRetryLayer::default())
            .service(transport)
    });
    assert_eq!(behind_layer.await, 2);
    let behind_policy = calls_behind(|transport| {
        ServiceBuilder::new()
            .retry(SimpleRetryPolicy::default())
            .service(transport)
    });
    assert_eq!(behind_policy.await, 2);
}

#[tokio::test(start_paused = true)]
async fn layers_around_the_endpoints_see_each_call_and_may_answer() {
    let (simulator, stack) = world("ok", "ok").await;
    let full = ServiceBuilder::new()
        .map_response(|_| Response::builder().status(507).body(Body::from("full")).unwrap())
        .service(stack.into_endpoints());
    let client = Client::with_config(OpenAIConfig::new().with_api_key("unused"))
        .with_http_service(AsyncOpenAiTransport::over(full));
    let error = api_error(client.chat().create(question(QUESTION)).await.unwrap_err());
    assert_eq!(
        (error.status_code.as_u16(), error.api_error.message.as_str()),
        (507, "full")
    );
    assert_eq!(calls(&simulator), 1);
}

#[tokio::test]
async fn a_failure_of_a_layer_is_the_clients_own_error() {
    let failing = service_fn(|_: Request<Body>| async { Err::<Response<Body>, _>(io::Error::other("full")) });
    let client = Client::with_config(OpenAIConfig::new().with_api_key("unused"))
        .with_http_service(AsyncOpenAiTransport::over(failing));
    let error = client.chat().create(question(QUESTION)).await.unwrap_err();
    assert!(matches!(error, OpenAIError::Boxed(_)), "{error:?}");
    assert_eq!(error.to_string(), "full");
}
