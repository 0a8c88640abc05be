//! The list of all metrics, for setting up an exporter.

use super::names as n;

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// Goes up alone.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Falls into buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts.
    pub kind: MetricKind,
    /// Its unit, as OpenTelemetry writes it: `s`, `{token}`.
    pub unit: &'static str,
    /// What it measures.
    pub help: &'static str,
    /// The upper bounds of its buckets that fit; none but for a histogram.
    pub buckets: &'static [f64],
}

const fn metric(
    kind: MetricKind,
    name: &'static str,
    unit: &'static str,
    buckets: &'static [f64],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        unit,
        help,
        buckets,
    }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    metric(MetricKind::Counter, name, unit, &[], help)
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Metric {
    metric(MetricKind::Gauge, name, unit, &[], help)
}

const fn histogram(name: &'static str, unit: &'static str, buckets: &'static [f64], help: &'static str) -> Metric {
    metric(MetricKind::Histogram, name, unit, buckets, help)
}

/// All metrics.
pub const METRICS: &[Metric] = &[
    histogram(
        n::INFERENCE_DURATION,
        "s",
        n::DURATION_BUCKETS,
        "From a caller's request to the last byte received",
    ),
    histogram(
        n::EMBEDDINGS_DURATION,
        "s",
        n::DURATION_BUCKETS,
        "From a caller's request for embeddings to the last byte received",
    ),
    histogram(
        n::TIME_TO_FIRST_CHUNK,
        "s",
        n::CHUNK_BUCKETS,
        "From a caller's request to the first token received",
    ),
    histogram(
        n::TIME_PER_OUTPUT_CHUNK,
        "s",
        n::CHUNK_BUCKETS,
        "From one chunk that a caller received to the next",
    ),
    counter(
        n::INPUT_USAGE,
        "{token}",
        "Tokens of the prompts whose answers were delivered",
    ),
    counter(n::OUTPUT_USAGE, "{token}", "Tokens of the delivered answers"),
    counter(
        n::CACHE_READ_USAGE,
        "{token}",
        "Tokens of prompts read from an upstream's cache",
    ),
    counter(
        n::CACHE_WRITE_USAGE,
        "{token}",
        "Tokens of prompts written to an upstream's cache",
    ),
    counter(n::REASONING_USAGE, "{token}", "Tokens of answers that are reasoning"),
    histogram(
        n::OPERATION_INPUT_TOKENS,
        "{token}",
        n::TOKEN_BUCKETS,
        "Tokens of the prompt of an operation",
    ),
    histogram(
        n::OPERATION_OUTPUT_TOKENS,
        "{token}",
        n::TOKEN_BUCKETS,
        "Tokens of the answer of an operation",
    ),
    histogram(
        n::EMBEDDINGS_INPUT_TOKENS,
        "{token}",
        n::TOKEN_BUCKETS,
        "Tokens of the texts that an operation embeds",
    ),
    counter(n::OPERATIONS, "{operation}", "Operations that have ended"),
    gauge(n::OPERATIONS_ACTIVE, "{operation}", "Operations in progress"),
    histogram(
        n::OPERATION_ATTEMPTS,
        "{attempt}",
        n::ATTEMPT_BUCKETS,
        "Attempts that an operation took",
    ),
    histogram(
        n::OPERATION_COST,
        "{USD}",
        n::COST_BUCKETS,
        "US dollars that an operation cost",
    ),
    histogram(
        n::OPERATION_COST_WASTED,
        "{USD}",
        n::COST_BUCKETS,
        "US dollars spent on answers that were not delivered",
    ),
    counter(
        n::RETRIES,
        "{attempt}",
        "Attempts at a candidate that had been tried before",
    ),
    counter(n::FALLBACKS, "{candidate}", "Candidates tried after the first"),
    counter(n::RESUMED, "{resumption}", "Interrupted answers that were resumed"),
    counter(n::CACHE_LOOKUPS, "{operation}", "Cache lookups"),
    counter(n::DEGRADED, "{operation}", "Degraded answers"),
    counter(n::ATTEMPTS_ENDED, "{attempt}", "Attempts that have ended"),
    histogram(
        n::ATTEMPT_DURATION,
        "s",
        n::DURATION_BUCKETS,
        "From the start of an attempt to its end",
    ),
    histogram(
        n::ATTEMPT_TIME_TO_FIRST_TOKEN,
        "s",
        n::CHUNK_BUCKETS,
        "From the start of an attempt to its first token",
    ),
    counter(n::ATTEMPT_INPUT_USAGE, "{token}", "Tokens of the prompts of attempts"),
    counter(n::ATTEMPT_OUTPUT_USAGE, "{token}", "Tokens of the answers of attempts"),
    histogram(n::QUEUE_WAIT, "s", n::CHUNK_BUCKETS, "Time in a queue"),
    counter(n::LIMIT_REFUSALS, "{refusal}", "Refusals by a limit"),
    gauge(
        n::CONCURRENCY_LIMIT,
        "{attempt}",
        "Learned concurrency limit of a candidate",
    ),
    counter(n::CIRCUIT_TRANSITIONS, "{transition}", "Changes of a circuit's state"),
    gauge(
        n::CIRCUIT_STATE,
        "1",
        "A circuit: 0 closed or returning, 1 half-open, 2 open",
    ),
    counter(
        n::PROVIDER_TRANSITIONS,
        "{transition}",
        "Providers behind a router that requests leave out from then on, or no longer",
    ),
    gauge(n::RESERVED, "{USD}", "US dollars reserved for attempts in flight"),
    counter(n::BUDGET_REFUSALS, "{refusal}", "Attempts that a budget refused"),
    gauge(n::BUDGET_CAP, "{USD}", "Cap of a budget, in US dollars"),
    gauge(
        n::BUDGET_SPENT,
        "{USD}",
        "US dollars spent of the account of a budget that has the least left",
    ),
    gauge(
        n::BUDGET_RESERVED,
        "{USD}",
        "US dollars reserved of the account of a budget that has the least left",
    ),
    gauge(
        n::BUDGET_LEFT,
        "{USD}",
        "US dollars left of the account of a budget that has the least left",
    ),
    counter(n::PAUSES, "{pause}", "Pauses requested by upstreams"),
    gauge(
        n::LEDGER_WAITING,
        "{entry}",
        "Entries that wait to be written to a ledger",
    ),
    counter(n::LEDGER_LOST, "{entry}", "Entries that a ledger has lost"),
];

/// Registers each metric with the recorder that is installed: what it is, and its unit. Once, after it was installed.
///
/// The gauge of the operations in progress has a series from then on, so that an alert on its absence does not fire for a process that waits for its
/// first call.
#[cfg(feature = "metrics")]
#[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
pub fn describe() {
    use metrics::Unit;

    for metric in METRICS {
        let unit = match metric.unit {
            "s" => Some(Unit::Seconds),
            "{USD}" | "1" => None,
            _ => Some(Unit::Count),
        };
        let name = metrics::KeyName::from(metric.name);
        let help = metric.help.into();
        metrics::with_recorder(|recorder| match metric.kind {
            MetricKind::Counter => recorder.describe_counter(name, unit, help),
            MetricKind::Gauge => recorder.describe_gauge(name, unit, help),
            MetricKind::Histogram => recorder.describe_histogram(name, unit, help),
        });
    }
    let labels = vec![crate::metering::label(n::OPERATION, "chat")];
    crate::metering::change(n::OPERATIONS_ACTIVE, &labels, 0.0);
}
