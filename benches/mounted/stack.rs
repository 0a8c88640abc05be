//! The same with the whole stack in between, every layer on and a second candidate in the chain.
//!
//! `stack http://127.0.0.1:PORT [FILTER]` prints the address it listens on, loopback only. With a filter, e.g. `info`, it logs to standard
//! error.
#![expect(clippy::print_stdout, reason = "the script that starts it reads the address")]

use std::env;
use std::error::Error;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tower_openrouter::layers::timeout::MinThroughput;
use tower_openrouter::transport::{Dialect, OPENROUTER, Upstream};
use tower_openrouter::{ApiKey, ChatServiceExt, Stack};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let base = env::args()
        .nth(1)
        .ok_or("give the upstream's address, e.g. http://127.0.0.1:8000")?;
    if let Some(filter) = env::args().nth(2) {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .init();
    }
    let upstream = Upstream::new(OPENROUTER, &format!("{base}/api/v1"), Dialect::OpenRouter)?;
    let stack = Stack::builder()
        .upstream(upstream, ApiKey::new("sk-or-v1-0000")?)
        .chain(["openai/gpt-5", "anthropic/claude-sonnet-4.5"])
        .min_throughput(MinThroughput::new(1, Duration::from_secs(30)))
        .build()?;
    let app = Router::new().route_service("/v1/chat/completions", stack.into_openai_endpoint());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    // Else the kernel holds the end of each stream back for 40 ms: axum leaves Nagle's algorithm on.
    let listener = listener.tap_io(|connection| {
        let _left_as_it_was = connection.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
