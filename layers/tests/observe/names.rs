//! Dashboards are built on these names: a change must be on purpose.

use std::collections::BTreeSet;

use tower_llm_layers::observe::{METRICS, MetricKind};

#[test]
fn every_metric_by_name_kind_and_unit() {
    let lines: Vec<String> = METRICS
        .iter()
        .map(|metric| format!("{} {:?} {}", metric.name, metric.kind, metric.unit))
        .collect();
    assert_eq!(
        lines,
        [
            "gen_ai.client.inference.duration Histogram s",
            "gen_ai.client.embeddings.duration Histogram s",
            "gen_ai.client.inference.time_to_first_chunk Histogram s",
            "gen_ai.client.inference.time_per_output_chunk Histogram s",
            "gen_ai.client.inference.usage.input_tokens Counter {token}",
            "gen_ai.client.inference.usage.output_tokens Counter {token}",
            "gen_ai.client.inference.usage.cache_read.input_tokens Counter {token}",
            "gen_ai.client.inference.usage.cache_write.input_tokens Counter {token}",
            "gen_ai.client.inference.usage.reasoning.output_tokens Counter {token}",
            "gen_ai.client.inference.operation.input_tokens Histogram {token}",
            "gen_ai.client.inference.operation.output_tokens Histogram {token}",
            "gen_ai.client.embeddings.operation.input_tokens Histogram {token}",
            "llm.operations Counter {operation}",
            "llm.operations.active Gauge {operation}",
            "llm.operation.attempts Histogram {attempt}",
            "llm.operation.cost Histogram {USD}",
            "llm.operation.cost_wasted Histogram {USD}",
            "llm.operation.retries Counter {attempt}",
            "llm.operation.fallbacks Counter {candidate}",
            "llm.operation.resumed Counter {resumption}",
            "llm.operation.cache_lookups Counter {operation}",
            "llm.operation.degraded Counter {operation}",
            "llm.attempts Counter {attempt}",
            "llm.attempt.duration Histogram s",
            "llm.attempt.time_to_first_token Histogram s",
            "llm.attempt.usage.input_tokens Counter {token}",
            "llm.attempt.usage.output_tokens Counter {token}",
            "llm.queue.wait Histogram s",
            "llm.limit.refusals Counter {refusal}",
            "llm.concurrency.limit Gauge {attempt}",
            "llm.circuit.transitions Counter {transition}",
            "llm.circuit.state Gauge 1",
            "llm.provider.transitions Counter {transition}",
            "llm.cost.reserved Gauge {USD}",
            "llm.budget.refusals Counter {refusal}",
            "llm.budget.cap Gauge {USD}",
            "llm.budget.spent Gauge {USD}",
            "llm.budget.reserved Gauge {USD}",
            "llm.budget.left Gauge {USD}",
            "llm.pauses Counter {pause}",
            "llm.ledger.waiting Gauge {entry}",
            "llm.ledger.lost Counter {entry}",
        ]
    );
}

#[test]
fn names_are_distinct_and_buckets_rise() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len(), "no name twice");
    for metric in METRICS {
        let has_buckets = !metric.buckets.is_empty();
        assert_eq!(has_buckets, metric.kind == MetricKind::Histogram, "{}", metric.name);
        assert!(metric.buckets.is_sorted_by(|one, next| one < next), "{}", metric.name);
        assert!(!metric.help.is_empty());
        // Of what is not a convention nothing stands among the conventions.
        let ours = metric.name.starts_with("llm.");
        assert!(ours || metric.name.starts_with("gen_ai.client."), "{}", metric.name);
    }
}

/// Every name and word that stands in the module, as its source has it.
#[test]
fn every_name_of_spans_and_labels() {
    let source = include_str!("../../src/metering/names.rs");
    let told: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1))
        .collect();
    let until_metrics = told.iter().position(|name| *name == "gen_ai.client.inference.duration");
    assert_eq!(
        told[..until_metrics.unwrap()],
        [
            "llm operation",
            "llm::operation",
            "llm attempt",
            "llm::attempt",
            "otel.name",
            "otel.kind",
            "otel.status_code",
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "gen_ai.request.stream",
            "gen_ai.request.max_tokens",
            "gen_ai.request.reasoning.level",
            "gen_ai.response.model",
            "gen_ai.response.id",
            "llm.provider",
            "gen_ai.response.finish_reasons",
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.conversation.id",
            "server.address",
            "server.port",
            "error.type",
            "http.response.status_code",
            "llm.outcome",
            "llm.attempt.number",
            "llm.attempts",
            "llm.retries",
            "llm.fallbacks",
            "llm.resumed",
            "llm.cost.usd",
            "llm.cost.wasted_usd",
            "llm.cache",
            "llm.degraded.source",
            "llm.degraded.reason",
            "llm.tags",
            "gen_ai.token.modality",
            "llm.tag.",
            "llm.budget",
            "llm.budget.reason",
            "llm.queue",
            "llm.limit",
            "llm.circuit.to",
            "llm.provider.to",
            "llm.fault",
        ]
    );
}
