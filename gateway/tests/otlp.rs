//! Spans to a collector, from the real program.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use openrouter_simulator::Simulator;
use tokio::{
    net::TcpListener,
    time::{Duration, timeout},
};

use crate::support::{APIS, Binary, CLIENT_KEY, Folder, Said, client, key, post as request, settings};

/// What a collector was sent.
type Batches = Arc<Mutex<Vec<Vec<u8>>>>;

fn collect(batches: &Batches, headers: &HeaderMap, body: &Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    batches.lock().unwrap().push(body.to_vec());
}

async fn collector() -> (SocketAddr, Batches) {
    let batches = Batches::default();
    let app = Router::new()
        .route(
            "/v1/traces",
            post(
                |State(batches): State<Batches>, headers: HeaderMap, body: Bytes| async move {
                    collect(&batches, &headers, &body);
                },
            ),
        )
        .with_state(Arc::clone(&batches));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, batches)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A gateway that has answered one call, then got a signal; how it ended, and what it logged.
async fn called(simulator: &Simulator, collector: SocketAddr) -> (bool, String) {
    let folder = Folder::new();
    let rest = format!(
        "telemetry.otlp = \"http://{collector}\"\nstorage = \"off\"\n{}",
        key("acme", CLIENT_KEY, "")
    );
    folder.write("gateway.toml", &settings(simulator, &folder, &rest));
    let gateway = Binary::serve(&[], &folder.path(""));
    let said = Said::of(request(&client(), &gateway.url(APIS[0].0), CLIENT_KEY, APIS[0].1)).await;
    assert_eq!(said.status, 200, "{said:?}");
    gateway.signal("-TERM");
    let ended = tokio::task::spawn_blocking(move || gateway.ended());
    let (status, log) = timeout(Duration::from_secs(25), ended).await.unwrap().unwrap();
    (status.success(), log)
}

/// The exporter is made at the start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_reports_that_another_collector_waits_for_the_next_start() {
    let (simulator, folder) = (Simulator::start().await.unwrap(), Folder::new());
    let write = |port: u16| {
        let rest = format!(
            "telemetry.otlp = \"http://127.0.0.1:{port}\"\nstorage = \"off\"\n{}",
            key("acme", CLIENT_KEY, "")
        );
        folder.write("gateway.toml", &settings(&simulator, &folder, &rest))
    };
    write(9);
    let gateway = Binary::serve(&[], &folder.path(""));
    write(10);
    gateway.signal("-HUP");
    gateway
        .until_logged("this setting changes with the next start", 1)
        .await;
    assert!(gateway.logged().contains("telemetry"), "{}", gateway.logged());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_spans_of_a_call_reach_the_collector_before_the_end() {
    let simulator = Simulator::start().await.unwrap();
    let (address, batches) = collector().await;
    let (ended, log) = called(&simulator, address).await;
    assert!(ended, "{log}");
    let all = batches.lock().unwrap().concat();
    for part in [
        "openrouter-gateway",
        "tower-openrouter",
        "openai/gpt-4o-mini",
        "gen_ai.operation.name",
    ] {
        assert!(holds(&all, part.as_bytes()), "{part} is in no span");
    }
    for secret in ["CLIENTSECRET", "UPSTREAMSECRET"] {
        assert!(!holds(&all, secret.as_bytes()), "{secret}");
    }
    // The upstream was given the span of its attempt.
    let attempts = simulator.report().attempts;
    let headers = &attempts.last().unwrap().headers;
    let parent = headers
        .iter()
        .find(|(name, _)| *name == "traceparent")
        .map(|(_, value)| value.clone());
    let parent = parent.expect("a trace context goes upstream");
    let trace = parent.split('-').nth(1).unwrap();
    let trace: Vec<u8> = (0..trace.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(trace.get(at..at + 2).unwrap(), 16).unwrap())
        .collect();
    assert!(holds(&all, &trace), "{parent} is of another trace");
    assert!(
        !log.contains("gen_ai.operation.name"),
        "the log is as without it: {log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_not_answer_holds_up_neither_calls_nor_the_end() {
    let simulator = Simulator::start().await.unwrap();
    // It accepts, and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (ended, log) = called(&simulator, silent.local_addr().unwrap()).await;
    assert!(ended, "{log}");
    assert!(log.contains("the collector does not take spans"), "{log}");
}
