//! The stack mounted in axum, from a client's socket to the simulator's.

use crate::support::{FIRST, SECOND, TEXT, World};
use axum::Router;
use openrouter_simulator::Outcome;
use serde_json::{Value, json};
use tower_openrouter::{ChatServiceExt, Stack, layers::resume::ResumeLayer};

/// Serves the stack on a free port, in this runtime; ended with it.
async fn serve(world: &World) -> String {
    mount(&world.builder().chain([SECOND]).build().unwrap()).await
}

async fn mount(stack: &Stack) -> String {
    let app = Router::new().route_service("/v1/chat/completions", stack.clone().into_openai_endpoint());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn body(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
}

async fn post(url: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
    reqwest::Client::new().post(url).body(body).send().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_model_that_the_client_asks_for_is_called() {
    let world = World::new("GOOD").await;
    let url = serve(&world).await;
    let response = post(&url, body(FIRST, false).to_string()).await;
    assert_eq!(response.headers()["x-llm-model"], FIRST);
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], TEXT);
    assert_eq!(answer["model"], FIRST);
}

/// The same endpoints in axum, as its fallback, and in a bare hyper server.
#[tokio::test(start_paused = true)]
async fn any_server_mounts_all_of_them() {
    let world = World::new("GOOD").await;
    let endpoints = world.builder().chain([SECOND]).build().unwrap().into_endpoints();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let in_axum = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback_service(endpoints.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let in_hyper = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper_util::service::TowerToHyperService::new(endpoints.clone());
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    for base in [in_axum, in_hyper] {
        let url = format!("{base}/v1/chat/completions");
        let response = post(&url, body(FIRST, true).to_string()).await;
        assert_eq!(response.headers()["x-llm-model"], FIRST, "{base}");
        assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
        let client = reqwest::Client::new();
        let models = client.get(format!("{base}/v1/models")).send().await.unwrap();
        let models: Value = serde_json::from_slice(&models.bytes().await.unwrap()).unwrap();
        assert_eq!(models["data"][0]["id"], SECOND);
        let head = client.head(format!("{base}/v1/models")).send().await.unwrap();
        let length = head.headers()["content-length"].to_str().unwrap();
        assert_eq!(
            (head.status().as_u16(), length),
            (200, models.to_string().len().to_string().as_str())
        );
        let nowhere = post(&format!("{base}/api/v1/nowhere"), "{}").await;
        assert_eq!(nowhere.status(), 404);
        let error: Value = serde_json::from_slice(&nowhere.bytes().await.unwrap()).unwrap();
        assert_eq!(error["error"]["metadata"]["error_type"], "unknown_url");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_survives_a_dead_model() {
    let world = World::new("503;no-hint").await;
    let url = serve(&world).await;
    let response = post(&url, body(FIRST, true).to_string()).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(
        (
            &response.headers()["x-llm-model"],
            &response.headers()["x-llm-attempts"]
        ),
        (&SECOND.parse().unwrap(), &3.into())
    );
    let events = response.text().await.unwrap();
    assert!(events.ends_with("data: [DONE]\n\n"), "{events}");
    let said: String = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(said, TEXT);
}

/// Its head was sent before, so a comment reports it at the place where another candidate continues.
#[tokio::test(start_paused = true)]
async fn a_resumed_stream_says_so() {
    let world = World::new("1xGOOD;cut@3,503;no-hint").await;
    let builder = world.builder().chain([FIRST]).cheaper([SECOND]);
    let url = mount(&builder.resume(ResumeLayer::new()).build().unwrap()).await;
    let events = post(&url, body(FIRST, true).to_string()).await.text().await.unwrap();
    let (said, comments): (Vec<_>, Vec<_>) = events
        .split("\n\n")
        .filter(|event| !event.is_empty())
        .partition(|event| event.starts_with("data: "));
    assert_eq!(
        said.iter().filter(|event| event.contains("[DONE]")).count(),
        1,
        "{events}"
    );
    let said = said.iter().filter_map(|event| {
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ")?).ok()?;
        Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned())
    });
    assert_eq!(said.collect::<String>(), TEXT);
    assert_eq!(
        comments,
        [
            ": resumed after 19 bytes (truncated), by openai/gpt-4o-mini; degraded: source=cheaper_model; reason=overloaded"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unknown_model_falls_back_and_alone_is_a_404() {
    let world = World::new("GOOD").await;
    let response = post(&serve(&world).await, body("acme/nope", false).to_string()).await;
    assert_eq!(response.headers()["x-llm-model"], SECOND);

    let stack = world.builder().build().unwrap();
    let app = Router::new().route_service("/", stack.into_openai_endpoint());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let response = post(&url, body("acme/nope", false).to_string()).await;
    assert_eq!(response.status(), 404);
    let error: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "model_not_found");
    assert!(error["error"]["message"].as_str().unwrap().contains("acme/nope"));
}

/// In real time: a paused clock runs on while many bytes are on their way, and with it the time that a body has to come.
#[tokio::test]
async fn bad_bodies_get_400_and_413() {
    let world = World::new("GOOD").await;
    let url = serve(&world).await;
    let response = post(&url, "{\"messages\":").await;
    assert_eq!(response.status(), 400);
    let error: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(error["error"]["type"], "invalid_request_error");
    let response = post(&url, vec![b' '; 21 * 1024 * 1024]).await;
    assert_eq!(response.status(), 413);
    assert!(world.simulator.report().attempts.is_empty(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_closes_the_upstream_connection() {
    for stream in [true, false] {
        let world = World::new(if stream { "delay=1s;words=50" } else { "hang" }).await;
        let url = serve(&world).await;
        let client = reqwest::Client::new();
        let call = client.post(&url).body(body(FIRST, stream).to_string()).send();
        if stream {
            let mut response = call.await.unwrap();
            response.chunk().await.unwrap();
            drop(response);
        } else {
            assert!(
                tokio::time::timeout(std::time::Duration::from_secs(2), call)
                    .await
                    .is_err()
            );
        }
        drop(client);
        world
            .simulator
            .wait_until(|seen| seen.attempts.iter().any(|a| a.outcome == Outcome::ClosedByClient))
            .await;
    }
}
