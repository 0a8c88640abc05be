//! The spans: to a collector, and one call's as a tree.

use std::{
    collections::{BTreeSet, HashSet},
    env,
    error::Error,
    time::Duration,
};

use opentelemetry::{
    global,
    trace::{SpanId, TracerProvider as _},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider, SpanData},
};
use tower_openrouter::layers::observe::names;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The spans of the first call, for the tree.
pub(crate) struct Kept(InMemorySpanExporter);

/// Where spans go.
pub(crate) fn endpoint() -> String {
    let set = env::var("OTEL_EXPORTER_OTLP_ENDPOINT");
    set.unwrap_or_else(|_| "http://127.0.0.1:4318".to_owned())
}

/// Installs the exporter, the propagator that gives each attempt's own span to the upstream, and a log with one line a call.
pub(crate) fn install(patience: Duration) -> Result<(SdkTracerProvider, Kept), Box<dyn Error>> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", endpoint().trim_end_matches('/')))
        .with_timeout(patience)
        .build()?;
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder().with_service_name("observability-example").build())
        .with_batch_exporter(exporter)
        .with_simple_exporter(kept.clone())
        .build();
    global::set_text_map_propagator(TraceContextPropagator::new());
    // The spans of calls and attempts go to OpenTelemetry alone: a plain log would print all their fields with each line.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("tower-openrouter"))
        .with_filter(EnvFilter::new("off,llm::operation=debug,llm::attempt=debug"));
    let lines = tracing_subscriber::fmt::layer()
        .compact()
        .with_filter(EnvFilter::new("off,llm::operation=info"));
    tracing_subscriber::registry().with(spans).with(lines).init();
    Ok((provider, Kept(kept)))
}

impl Kept {
    /// What there is so far.
    pub(crate) fn take(&self) -> Vec<SpanData> {
        let spans = self.0.get_finished_spans().unwrap_or_default();
        self.0.reset();
        spans
    }
}

fn text(span: &SpanData, name: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == name)?;
    Some(found.value.as_str().into_owned())
}

/// The spans of one call, each under its parent.
pub(crate) fn tree(spans: &[SpanData]) -> String {
    let mut tree = String::new();
    let roots = spans.iter().filter(|span| span.parent_span_id == SpanId::INVALID);
    for root in roots {
        line(&mut tree, root, 0);
        let mut children: Vec<_> = spans
            .iter()
            .filter(|span| span.parent_span_id == root.span_context.span_id())
            .collect();
        children.sort_by_key(|span| span.start_time);
        children.into_iter().for_each(|child| line(&mut tree, child, 1));
    }
    tree
}

fn line(tree: &mut String, span: &SpanData, depth: usize) {
    let context = &span.span_context;
    let attributes = [names::OUTCOME, names::ERROR_TYPE, names::ATTEMPT_NUMBER, names::COST];
    let said: Vec<_> = attributes
        .iter()
        .filter_map(|name| Some(format!("{name}={}", text(span, name)?)))
        .collect();
    tree.push_str(&format!(
        "{:indent$}{} trace={} span={} {}\n",
        "",
        span.name,
        context.trace_id(),
        context.span_id(),
        said.join(" "),
        indent = 2 * depth,
    ));
}

/// Each attempt is a span of the call's trace, and the upstream was given that span as its parent.
pub(crate) fn check(spans: &[SpanData], sent: &[String]) -> Result<(), Box<dyn Error>> {
    let traces: HashSet<_> = spans.iter().map(|span| span.span_context.trace_id()).collect();
    let attempts = spans.iter().filter(|span| text(span, names::ATTEMPT_NUMBER).is_some());
    let attempts: BTreeSet<_> = attempts
        .map(|span| format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id()))
        .collect();
    let sent: BTreeSet<_> = sent.iter().cloned().collect();
    if traces.len() != 1 || attempts.len() != 3 || attempts != sent {
        return Err(
            format!("three attempts of one trace were expected: {attempts:?} in {traces:?}, sent {sent:?}").into(),
        );
    }
    Ok(())
}
