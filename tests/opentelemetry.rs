//! Spans as an OpenTelemetry exporter gets them: whole numbers stay numbers.

use std::collections::BTreeMap;
#[cfg(feature = "opentelemetry")]
use std::collections::BTreeSet;

use crate::support::{FIRST, SECOND, World, ask, call};
use opentelemetry::{Value, trace::TracerProvider as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower_openrouter::{
    ChatServiceExt, EmbeddingRequest, MessagesRequest, ResponsesRequest, Stack, layers::observe::names,
};
use tracing_subscriber::layer::SubscriberExt as _;

/// What each span of a streamed call, whose first candidate fails, has been exported with.
async fn exported() -> Vec<SpanData> {
    let (_, spans) = exported_after(1, async |stack| {
        let request = ask().max_tokens(50).session_id("chat-7");
        assert!(call(stack, true, request).await.error.is_none());
    })
    .await;
    spans
}

/// The spans of these calls, whose first candidate fails, with the upstream that served them.
async fn exported_after(attempts_per_candidate: u32, calls: impl AsyncFnOnce(&Stack)) -> (World, Vec<SpanData>) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("tower-openrouter"));
    let subscriber = tracing_subscriber::registry().with(layer);
    let world = World::new("503").await;
    let stack = world
        .builder()
        .attempts_per_candidate(attempts_per_candidate)
        .chain([FIRST, SECOND])
        .build()
        .unwrap();
    {
        let _listening = tracing::subscriber::set_default(subscriber);
        calls(&stack).await;
    }
    provider.force_flush().unwrap();
    (world, exporter.get_finished_spans().unwrap())
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

fn text(span: &SpanData, name: &str) -> Option<String> {
    let attribute = span
        .attributes
        .iter()
        .find(|attribute| attribute.key.as_str() == name)?;
    Some(attribute.value.as_str().into_owned())
}

#[tokio::test(start_paused = true)]
async fn each_attempt_says_where_it_went_and_who_served_it() {
    let spans = exported().await;
    let attempts: Vec<_> = spans
        .iter()
        .filter(|span| text(span, names::ATTEMPT_NUMBER).is_some())
        .collect();
    assert_eq!(attempts.len(), 2);
    for attempt in &attempts {
        assert_eq!(text(attempt, names::SERVER_ADDRESS).as_deref(), Some("127.0.0.1"));
        assert!(text(attempt, names::SERVER_PORT).unwrap().parse::<u16>().unwrap() > 0);
        assert_eq!(text(attempt, names::CONVERSATION_ID).as_deref(), Some("chat-7"));
    }
    let operation = spans
        .iter()
        .find(|span| text(span, names::ATTEMPT_NUMBER).is_none())
        .unwrap();
    assert_eq!(text(operation, names::CONVERSATION_ID).as_deref(), Some("chat-7"));
    assert_eq!(text(operation, names::SERVED_BY).as_deref(), Some("OpenAI"));
}

/// The only test here that sets the process's propagator: no other one looks at it.
#[cfg(feature = "opentelemetry")]
#[tokio::test(start_paused = true)]
async fn each_attempts_own_span_is_the_parent_of_what_the_upstream_does() {
    use opentelemetry_sdk::propagation::TraceContextPropagator;

    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    for (attempts_per_candidate, made) in [(1, 2), (2, 3)] {
        let (world, spans) = exported_after(attempts_per_candidate, async |stack| {
            assert!(call(stack, true, ask()).await.error.is_none());
        })
        .await;
        let sent: Vec<_> = world
            .simulator
            .report()
            .chats()
            .map(|seen| seen.header("traceparent").unwrap().to_owned())
            .collect();
        let of_attempts = spans.iter().filter(|span| text(span, names::ATTEMPT_NUMBER).is_some());
        let mut attempts: Vec<_> = of_attempts
            .clone()
            .map(|span| (text(span, names::ATTEMPT_NUMBER), &span.span_context))
            .map(|(number, context)| (number, format!("00-{}-{}-01", context.trace_id(), context.span_id())))
            .collect();
        attempts.sort();
        let attempts: Vec<_> = attempts.into_iter().map(|(_, context)| context).collect();
        assert_eq!((sent.len(), &sent), (made, &attempts));
        let distinct: BTreeSet<_> = sent.iter().collect();
        assert_eq!(distinct.len(), made, "each attempt has a header of its own");
        // They are parts of one call.
        let operation = spans
            .iter()
            .find(|span| text(span, names::ATTEMPT_NUMBER).is_none())
            .unwrap();
        for span in of_attempts {
            assert_eq!(span.parent_span_id, operation.span_context.span_id());
            assert_eq!(span.span_context.trace_id(), operation.span_context.trace_id());
        }
    }
}

/// The values of `gen_ai.operation.name`; those of the other fields stand in `layers/tests/observe/values.rs`.
#[tokio::test(start_paused = true)]
async fn every_value_of_the_operation_name_by_api() {
    let (_, spans) = exported_after(1, async |stack| {
        assert!(call(stack, true, ask()).await.error.is_none());
        let message = MessagesRequest::user("Why?", 50).model(SECOND);
        assert!(stack.complete(message).await.is_ok());
        let response = ResponsesRequest::text("Why?").model(SECOND);
        assert!(stack.complete(response).await.is_ok());
        let texts = EmbeddingRequest::new("openai/text-embedding-3-small", ["Hi"]);
        assert!(stack.embed(texts).await.is_ok());
    })
    .await;
    let operations = spans.iter().filter(|span| text(span, names::ATTEMPT_NUMBER).is_none());
    let by_api: Vec<_> = operations.filter_map(|span| text(span, names::OPERATION)).collect();
    assert_eq!(by_api, ["chat", "chat", "chat", "embeddings"]);
}
