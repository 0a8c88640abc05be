//! The least that can stand between a client and the upstream: axum and an HTTP client, and nothing in between.
//!
//! `passthrough http://127.0.0.1:PORT [hyper-util]` prints the address it listens on, loopback only. The client is reqwest, as in the stack, or hyper-util's.
//! A certificate to trust is named by `SSL_CERT_FILE`.
#![expect(clippy::print_stdout, reason = "the script that starts it reads the address")]

mod client;

use std::env;
use std::error::Error;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt;
use http::{Response, StatusCode, header};
use tokio::net::TcpListener;

use client::Client;

async fn pass(State(upstream): State<Client>, body: Bytes) -> Result<Response<Body>, StatusCode> {
    let (head, body) = upstream
        .post(body)
        .await
        .map_err(|_| StatusCode::BAD_GATEWAY)?
        .into_parts();
    let mut passed = Response::new(body);
    *passed.status_mut() = head.status;
    for name in [header::CONTENT_TYPE, header::HeaderName::from_static("x-generation-id")] {
        if let Some(value) = head.headers.get(&name) {
            passed.headers_mut().insert(name, value.clone());
        }
    }
    Ok(passed)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let base = env::args()
        .nth(1)
        .ok_or("give the upstream's address, e.g. http://127.0.0.1:8000")?;
    let url = format!("{base}/api/v1/chat/completions");
    let client = match env::args().nth(2).as_deref() {
        None => Client::reqwest(&url)?,
        Some("hyper-util") => Client::hyper_util(&url)?,
        Some(other) => return Err(format!("`{other}` is no client: hyper-util, or nothing").into()),
    };
    let app = Router::new()
        .route("/v1/chat/completions", post(pass))
        .with_state(client);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    // Else the kernel holds the end of each stream back for 40 ms: axum leaves Nagle's algorithm on.
    let listener = listener.tap_io(|connection| {
        let _left_as_it_was = connection.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
