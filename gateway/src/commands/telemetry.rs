//! Spans of calls and attempts to a collector of OpenTelemetry: OTLP over HTTP.

use std::{error::Error, time::Duration};

use opentelemetry::{global, trace::TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tokio::{task::spawn_blocking, time::timeout};
use tracing_subscriber::{EnvFilter, Layer, registry::LookupSpan};

use super::{exporter::Reported, print::Failed};
use crate::settings::TelemetrySettings;

/// How long the collector may take for one batch. Calls never wait for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The exporter of this process, if one is set.
#[derive(Debug)]
pub(super) struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// As these settings say. What the collector does not take in time is dropped, and the log says so.
    pub(super) fn new(settings: &TelemetrySettings) -> Result<Self, Failed> {
        let Some(collector) = &settings.otlp else {
            return Ok(Self(None));
        };
        let provider = provider(collector).map_err(|error| Failed::new(format!("telemetry.otlp: {error}")))?;
        // Each attempt's own span goes upstream.
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(Some(provider)))
    }

    /// The layer that makes spans of the library's: of operations and attempts alone.
    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + Send + Sync + 'static>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let tracer = self.0.as_ref()?.tracer("tower-openrouter");
        let spans = EnvFilter::new("off,llm::operation=debug,llm::attempt=debug");
        Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(spans))
    }

    /// Sends what is left, up to this time.
    pub(super) async fn end(self, limit: Duration) {
        let Some(provider) = self.0 else { return };
        // It waits for a thread of its own.
        let ended = spawn_blocking(move || provider.shutdown_with_timeout(limit));
        let error = match timeout(limit, ended).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {limit:?}"),
        };
        tracing::warn!(target: "gateway", error, "the collector of spans did not take the last ones");
    }
}

fn provider(collector: &str) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
        .with_timeout(PATIENCE)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("openrouter-gateway")
        .with_attribute(opentelemetry::KeyValue::new("service.version", crate::VERSION))
        .build();
    let provider = SdkTracerProvider::builder().with_resource(resource);
    Ok(provider.with_batch_exporter(Reported::new(exporter)).build())
}
