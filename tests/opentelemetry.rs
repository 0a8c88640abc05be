//! Spans as an OpenTelemetry exporter gets them: whole numbers stay numbers.

use std::collections::BTreeMap;

use crate::support::{FIRST, SECOND, World, ask, call};
use opentelemetry::{Value, trace::TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower_openrouter::layers::observe::names;
use tracing_subscriber::layer::SubscriberExt as _;

/// What each span of a streamed call, whose first candidate fails, has been exported with.
async fn exported() -> Vec<SpanData> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tower-openrouter"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let world = World::new("503").await;
    let stack = world
        .builder()
        .attempts_per_candidate(1)
        .chain([FIRST, SECOND])
        .build()
        .unwrap();
    {
        let _listening = tracing::subscriber::set_default(subscriber);
        assert!(call(&stack, true, ask().max_tokens(50)).await.error.is_none());
    }
    provider.force_flush().unwrap();
    exporter.get_finished_spans().unwrap()
}

#[tokio::test(start_paused = true)]
async fn whole_numbers_are_exported_as_numbers() {
    let spans = exported().await;
    let counts = [
        names::ATTEMPTS,
        names::FALLBACK_COUNT,
        names::ATTEMPT_NUMBER,
        names::HTTP_STATUS,
        names::INPUT_TOKENS,
        names::OUTPUT_TOKENS,
        names::REQUEST_MAX_TOKENS,
    ];
    let mut seen = BTreeMap::new();
    for attribute in spans.iter().flat_map(|span| &span.attributes) {
        if let Some(name) = counts.iter().find(|name| **name == attribute.key.as_str()) {
            assert!(
                matches!(attribute.value, Value::I64(_)),
                "{name}: {:?}",
                attribute.value
            );
            *seen.entry(*name).or_insert(0) += 1;
        }
    }
    assert_eq!(seen.len(), counts.len(), "{seen:?}");
    assert_eq!(spans.len(), 3, "an operation and two attempts");
}
