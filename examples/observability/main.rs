//! Spans to an OpenTelemetry collector, metrics for Prometheus, and one line a call: a few seconds of load, with a model that fails.
//!
//! ```sh
//! cargo run --release --example observability --features cache,metrics,opentelemetry,sqlite
//! ```
//!
//! Spans go to `OTEL_EXPORTER_OTLP_ENDPOINT`, by default `http://127.0.0.1:4318`; without a collector they are lost, and the example says so.
//! Metrics are at `/metrics` of `LISTEN`, by default a free port; `SECONDS` is how long the load lasts, by default 4. The dashboard and the alert
//! rules for them are in `docs/dashboards`.
#![expect(clippy::print_stdout, reason = "an example prints for the reader")]

mod load;
mod scrape;
mod trace;

use std::{env, error::Error, sync::Arc, time::Duration};

use tower_openrouter::{ChatRequest, ChatServiceExt, Tags};

use crate::load::Service;

/// A collector that does not listen is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    // The exporter has a thread of its own, and outlives the runtime: so the spans of a shutdown are sent, too.
    let (provider, kept) = trace::install(PATIENCE)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(run(&kept));
    drop(runtime);
    match provider.shutdown_with_timeout(PATIENCE) {
        Ok(()) => println!("spans were sent to {}", trace::endpoint()),
        Err(error) => println!("spans were NOT sent: no collector at {} ({error})", trace::endpoint()),
    }
    ended
}

async fn run(kept: &trace::Kept) -> Result<(), Box<dyn Error>> {
    let seconds = env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let file = env::temp_dir().join(format!("observability-{}.sqlite", std::process::id()));
    let metrics = scrape::recorder()?;
    let service = Arc::new(Service::start(&file).await?);
    let listen = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let (address, server) = scrape::serve(&listen, metrics.clone(), Arc::clone(&service)).await?;
    println!("metrics at http://{address}/metrics\n");

    // One call: two attempts at the model that fails, and one at the next.
    let request = ChatRequest::user("Why is the sky blue?").tags(Tags::new([("team", "search"), ("tenant", "acme")])?);
    println!("{:?}\n", service.stack.complete(request).await?.response.text());
    let spans = kept.take();
    let sent: Vec<_> = service
        .simulator
        .report()
        .chats()
        .filter_map(|seen| seen.header("traceparent").map(str::to_owned))
        .collect();
    println!("{}", trace::tree(&spans));
    println!("the upstream saw\n  {}\n", sent.join("\n  "));
    trace::check(&spans, &sent)?;

    println!("{seconds} seconds of load");
    service.load(Duration::from_secs(seconds)).await;
    service.record();
    let text = metrics.render();
    for name in ["llm_operations", "llm_attempts", "llm_circuit_state", "llm_budget_left"] {
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.take(4).for_each(|line| println!("  {line}"));
    }
    server.abort();
    let (written, lost) = service.close().await;
    println!("the ledger wrote {written} entries and lost {lost}");
    drop(std::fs::remove_file(file));
    Ok(())
}
