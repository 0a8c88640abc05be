//! The least that can stand between a client and the upstream: axum and reqwest, and nothing in between.
//!
//! `passthrough http://127.0.0.1:PORT` prints the address it listens on, loopback only.
#![expect(clippy::print_stdout, reason = "the script that starts it reads the address")]

use std::env;
use std::error::Error;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt;
use http::{Response, StatusCode, header};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Upstream {
    client: reqwest::Client,
    url: reqwest::Url,
}

async fn pass(State(upstream): State<Upstream>, body: Bytes) -> Result<Response<Body>, StatusCode> {
    let call = upstream
        .client
        .post(upstream.url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, "Bearer sk-or-v1-0000")
        .body(body);
    let response = call.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let (head, body) = Response::<reqwest::Body>::from(response).into_parts();
    let mut passed = Response::new(Body::new(body));
    *passed.status_mut() = head.status;
    for name in [header::CONTENT_TYPE, header::HeaderName::from_static("x-generation-id")] {
        if let Some(value) = head.headers.get(&name) {
            passed.headers_mut().insert(name, value.clone());
        }
    }
    Ok(passed)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let base = env::args()
        .nth(1)
        .ok_or("give the upstream's address, e.g. http://127.0.0.1:8000")?;
    let url = reqwest::Url::parse(&base)?.join("/api/v1/chat/completions")?;
    let client = reqwest::Client::builder()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(128)
        .build()?;
    let app = Router::new()
        .route("/v1/chat/completions", post(pass))
        .with_state(Upstream { client, url });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    // Else the kernel holds the end of each stream back for 40 ms: axum leaves Nagle's algorithm on.
    let listener = listener.tap_io(|connection| {
        let _left_as_it_was = connection.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
