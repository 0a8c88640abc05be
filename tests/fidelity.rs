//! What goes out is what came in, but for what had to change.

use crate::support::{FIRST, SECOND, World, ask, call};
use bytes::Bytes;
use http::Request;
use openrouter_simulator::Attempt;
use tower::ServiceExt;
use tower_openrouter::{
    ApiKey, ApiRequest, Candidate, ChatRequest, EmbeddingRequest, Upstream,
    request::{ProviderPreferences, Reasoning},
    transport::Attribution,
};

fn last(world: &World) -> Attempt {
    world.simulator.report().attempts.last().unwrap().clone()
}

/// Invariant 10: odd spacing, unknown fields, a duplicate, all of it.
#[tokio::test(start_paused = true)]
async fn a_body_that_nothing_had_to_change_goes_out_byte_for_byte() {
    let world = World::new("GOOD").await;
    let body = "{ \"unknown\" : {\"deep\":[1, 2.50, \"\\u00e9\"]},\"seed\":1,\"seed\":2,\n\t\"model\": \"openai/gpt-5\" ,\
                \"messages\":[ {\"role\":\"user\",\"content\":\"Hi\"} ],\"stream\":true } \n";
    let request = ChatRequest::from_json(body).unwrap();
    let got = call(&world.alone(), true, request).await;
    assert!(got.error.is_none());
    assert_eq!(last(&world).body, body);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_changes_the_model_and_nothing_else() {
    let world = World::new("404").await;
    let body = "{\"model\" :\"openai/gpt-5\", \"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],  \"x\":[ ],\"stream\":true}";
    let got = call(&world.pair(), true, ChatRequest::from_json(body).unwrap()).await;
    assert_eq!(got.asked(), [FIRST, SECOND]);
    assert_eq!(last(&world).body, body.replace("openai/gpt-5", "openai/gpt-4o-mini"));
}

#[tokio::test(start_paused = true)]
async fn the_routers_own_list_goes_along_if_it_is_enabled() {
    let world = World::new("GOOD").await;
    let stack = world
        .builder()
        .chain([FIRST, SECOND, "demo/model", "deepseek/deepseek-v3.2"])
        .server_side_fallback(true)
        .build()
        .unwrap();
    call(&stack, true, ask()).await;
    let body: serde_json::Value = serde_json::from_slice(&last(&world).body).unwrap();
    assert_eq!(body["model"], FIRST);
    assert_eq!(
        body["models"],
        serde_json::json!([SECOND, "demo/model"]),
        "three in all"
    );
}

#[tokio::test(start_paused = true)]
async fn a_provider_gets_no_field_that_only_openrouter_knows() {
    let world = World::new("reset").await;
    let provider = World::new("GOOD").await;
    let direct = Upstream::openai_compatible("direct", &provider.simulator.base_url()).unwrap();
    let stack = world
        .builder()
        .attribution(Attribution::titled("tests").url("https://tests.example"))
        .upstream(
            direct,
            ApiKey::new("sk-or-v1-0123456789abcdef0123456789direct").unwrap(),
        )
        .chain([
            Candidate::new("openrouter", FIRST).unwrap(),
            Candidate::new("direct", FIRST).unwrap(),
        ])
        .build()
        .unwrap();
    let request = ask()
        .provider(ProviderPreferences::default())
        .reasoning(Reasoning::effort("low"))
        .session_id("s-1")
        .temperature(0.5);
    let got = call(&stack, true, request).await;
    assert!(got.error.is_none(), "{got:?}");
    assert_eq!(
        got.asked(),
        [FIRST, FIRST, FIRST],
        "twice at the router, once at the provider"
    );
    let router = last(&world);
    assert_eq!(router.header("x-openrouter-title"), Some("tests"));
    assert_eq!(router.header("http-referer"), Some("https://tests.example"));
    let sent = last(&provider);
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    for field in ["provider", "reasoning", "session_id"] {
        assert!(body.get(field).is_none(), "{field}");
    }
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(body["stream_options"]["include_usage"], true);
    assert_eq!(sent.header("x-openrouter-title"), None);
    // Each upstream gets its own key, and never the other's.
    assert!(router.header("authorization").unwrap().ends_with("test"), "{router:?}");
    assert!(sent.header("authorization").unwrap().ends_with("rect"), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn embeddings_go_through_the_same_stack() {
    let world = World::new("GOOD").await;
    world
        .simulator
        .plan("openai/text-embedding-3-small", "503;no-hint,ok")
        .unwrap();
    let stack = world.builder().build().unwrap();
    let request = EmbeddingRequest::new("openai/text-embedding-3-small", ["one", "two"]).into_http();
    let response = stack.oneshot(request).await.unwrap();
    let attempts = response
        .extensions()
        .get::<tower_openrouter::AttemptLog>()
        .unwrap()
        .clone();
    let body: Bytes = http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap()
        .to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(attempts.sent(), 2);
    assert_eq!(last(&world).path, "/api/v1/embeddings");
}

#[tokio::test(start_paused = true)]
async fn headers_pass_but_for_those_of_the_connection_and_a_foreign_key() {
    let world = World::new("GOOD").await;
    let mut request: Request<ApiRequest> = ask().model(FIRST).stream(true).into_http();
    for (name, value) in [
        ("x-mine", "1"),
        ("authorization", "Bearer client"),
        ("host", "evil.example"),
        ("content-length", "3"),
        ("x-request-timeout-ms", "5000"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    world.alone().oneshot(request).await.unwrap();
    let seen = last(&world);
    assert_eq!(seen.header("x-mine"), Some("1"));
    assert_eq!(seen.header("x-request-timeout-ms"), None);
    assert!(seen.header("authorization").unwrap().ends_with("test"));
    assert!(seen.header("host").unwrap().starts_with("127.0.0.1"));
}
