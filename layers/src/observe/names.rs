//! All names of spans, fields and metrics, in one place.
//!
//! Names under `gen_ai.` are OpenTelemetry's conventions for generative AI (in development: they may change there, and then here). What
//! those have no name for is under `llm.`. A Prometheus exporter writes `_` for `.`, and adds the unit.

/// What is done, e.g. `chat`.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Whose answer it is: the upstream.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model that was asked for.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// The model whose answer it is.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// What kind of failure it was.
pub const ERROR_TYPE: &str = "error.type";
/// `input` or `output`.
pub const TOKEN_TYPE: &str = "gen_ai.token.type";
/// The rung of the ladder that stood in.
pub const RUNG: &str = "llm.degraded.rung";

/// Histogram, seconds: a call of a caller's, from its beginning to the last byte.
pub const OPERATION_DURATION: &str = "gen_ai.client.operation.duration";
/// Histogram, tokens of one answer that was paid for.
pub const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
/// Histogram, seconds: to the first token.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.operation.time_to_first_chunk";
/// Histogram, seconds: from one chunk to the next, the mean of an answer.
pub const TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.operation.time_per_output_chunk";
/// Histogram: attempts that one call took. Their mean is the amplification.
pub const OPERATION_ATTEMPTS: &str = "llm.operation.attempts";
/// Histogram, US dollars: all attempts of one call.
pub const OPERATION_COST: &str = "llm.operation.cost";
/// Counter: attempts at the same candidate after a failure.
pub const RETRIES: &str = "llm.operation.retries";
/// Counter: candidates asked after the first.
pub const FALLBACKS: &str = "llm.operation.fallbacks";
/// Counter: answers that are degraded, by rung.
pub const DEGRADED: &str = "llm.operation.degraded";
/// Counter: places where an answer broke off and somebody went on.
pub const RESUMED: &str = "llm.operation.resumed";
/// Histogram, seconds: one attempt upstream. Not an operation: those are counted once.
pub const ATTEMPT_DURATION: &str = "llm.attempt.duration";
/// Histogram, seconds: how long an attempt waited for its turn.
pub const QUEUE_WAIT: &str = "llm.queue.wait";
/// Gauge: 0 closed, 1 half-open, 2 open.
pub const CIRCUIT_STATE: &str = "llm.circuit.state";
/// Gauge: attempts at once that a candidate bears.
pub const CONCURRENCY_LIMIT: &str = "llm.concurrency.limit";

/// The bounds that the conventions advise for [`OPERATION_DURATION`] and [`ATTEMPT_DURATION`], in seconds.
pub const DURATION_BUCKETS: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// Those for [`TOKEN_USAGE`].
pub const TOKEN_BUCKETS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Those for the two that are about chunks, in seconds; with three more for models that think first.
pub const CHUNK_BUCKETS: [f64; 26] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.75, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0,
];
