//! Every name of a span, a field and a metric, in one place, and the buckets that fit.
//!
//! Names under `gen_ai.` are [OpenTelemetry's for generative AI](https://opentelemetry.io/docs/specs/semconv/gen-ai/), version 0.1.0 of
//! their own conventions. They are in development: if they change, they change here. What has no name there is under `llm.`. An exporter for Prometheus writes
//! `_` for each `.`.
//!
//! Names of models come from requests and answers, and each is some forty series of an exporter: two hundred requested ones have labels of their
//! own, and two hundred that answered; the rest is `other`.

// Spans.

/// The span of an operation: what one caller asked for and saw. OpenTelemetry shows it by its `otel.name`, e.g. `chat openai/gpt-5`.
pub const OPERATION_SPAN: &str = "llm operation";
/// The target of that span, to filter by.
pub const OPERATION_TARGET: &str = "llm::operation";
/// The span of an attempt: one request upstream.
pub const ATTEMPT_SPAN: &str = "llm attempt";
/// The target of that span, to filter by.
pub const ATTEMPT_TARGET: &str = "llm::attempt";

// Fields of spans; those that are labels of metrics, too, say so.

/// The name of a span as `tracing-opentelemetry` shows it.
pub const SPAN_NAME: &str = "otel.name";
/// `client`.
pub const SPAN_KIND: &str = "otel.kind";
/// `OK` or `ERROR`; not set if the caller left.
pub const STATUS_CODE: &str = "otel.status_code";
/// The kind of operation: `chat`, `embeddings`. A label.
pub const OPERATION: &str = "gen_ai.operation.name";
/// The upstream that answered, or was tried last. A label.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// The model asked for. A label.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether as a stream.
pub const REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The longest answer asked for, in tokens.
pub const REQUEST_MAX_TOKENS: &str = "gen_ai.request.max_tokens";
/// How much reasoning is requested, in the request's own word, such as `low`.
pub const REASONING_LEVEL: &str = "gen_ai.request.reasoning.level";
/// The model that answers, by its own word, else by the chain. A label.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// By which name the upstream knows the answer.
pub const RESPONSE_ID: &str = "gen_ai.response.id";
/// The provider behind the upstream that served the answer or failed, if the upstream is a router and names it.
pub const SERVED_BY: &str = "llm.provider";
/// Why the answer ended: one word, since a span's field here holds no list.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Seconds from the start to the first frame that shows something, of a streamed answer.
pub const RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// Tokens of the prompt.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens of the answer, reasoning included.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Of the prompt, read from the upstream's cache.
pub const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Of the prompt, written to the upstream's cache.
pub const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
/// Of the answer, reasoning.
pub const REASONING_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";
/// The conversation that the request belongs to, if it names one.
pub const CONVERSATION_ID: &str = "gen_ai.conversation.id";
/// The host that an attempt was sent to.
pub const SERVER_ADDRESS: &str = "server.address";
/// Its port.
pub const SERVER_PORT: &str = "server.port";
/// The kind of the failure ([`FailureKind::as_str`](crate::FailureKind::as_str)), or `cancelled`. A label, if there is one.
pub const ERROR_TYPE: &str = "error.type";
/// The HTTP status of a failure.
pub const HTTP_STATUS: &str = "http.response.status_code";
/// `answered`, `degraded`, `failed` or `cancelled`; of an attempt that was refused on our side `not_sent`, and then nothing is counted.
/// A label.
pub const OUTCOME: &str = "llm.outcome";
/// Which attempt of its call, from 1.
pub const ATTEMPT_NUMBER: &str = "llm.attempt.number";
/// Attempts sent upstream for one operation; none if the response was cached.
pub const ATTEMPTS: &str = "llm.attempts";
/// Attempts at a candidate that had been tried before.
pub const RETRY_COUNT: &str = "llm.retries";
/// Candidates asked after the first, those beside a late one among them.
pub const FALLBACK_COUNT: &str = "llm.fallbacks";
/// How often an interrupted answer was resumed.
pub const RESUMPTION_COUNT: &str = "llm.resumed";
/// All attempts of the operation, in US dollars, as far as it is known: an interrupted answer has no bill, and counts only if there
/// are prices to estimate it by. For display, not for bills: money is exact in the ledger.
pub const COST: &str = "llm.cost.usd";
/// Of these, the attempts whose answer was not delivered.
pub const COST_WASTED: &str = "llm.cost.wasted_usd";
/// What the cache did: `hit`, `shared` with a call in flight, `miss`, or `replayed` by an idempotency key; not set for requests that bypassed it.
/// A label.
pub const CACHE: &str = "llm.cache";
/// The source of a degraded answer. A label.
pub const DEGRADED_SOURCE: &str = "llm.degraded.source";
/// Why the requested model did not answer. A label.
pub const DEGRADED_REASON: &str = "llm.degraded.reason";
/// The tags that were [asked for](crate::observe::ObserveLayer::tags), as `team=search`.
pub const TAGS: &str = "llm.tags";

// Labels that no span has.

/// `text`, `image`, `audio`, or `unknown` if the upstream does not tell them apart.
pub const TOKEN_MODALITY: &str = "gen_ai.token.modality";
/// Before the name of a tag that was [asked for](crate::observe::ObserveLayer::tags).
pub const TAG_PREFIX: &str = "llm.tag.";
/// The name of a budget.
pub const BUDGET: &str = "llm.budget";
/// Why a budget refused an attempt: `spent`, `reserved`, `queue_full`, `store_down`, `too_many_accounts`.
pub const BUDGET_REASON: &str = "llm.budget.reason";
/// The queue in which an attempt waited: `rate_limit`, `adaptive_concurrency` or `budget`.
pub const QUEUE: &str = "llm.queue";
/// What is full: `requests`, `tokens`, `concurrency`; of a pause what the upstream said, `rate_limited` or `quota_exhausted`; `store_down` if the store is unavailable.
pub const LIMIT: &str = "llm.limit";
/// The state that a circuit has entered: `closed`, `returning`, `half_open`, `open`.
pub const STATE: &str = "llm.circuit.to";
/// The state that a provider behind a router has entered: `healthy`, `ignored`.
pub const PROVIDER_STATE: &str = "llm.provider.to";
/// What caused the failure of an operation: `caller` for its own request, timeout, limit or budget, else `service`. Only on failures.
pub const FAULT: &str = "llm.fault";

// Metrics of operations.

/// Seconds from the start of an operation to its last byte, its failure, or the caller's leaving, over all attempts.
pub const INFERENCE_DURATION: &str = "gen_ai.client.inference.duration";
/// The same of embeddings.
pub const EMBEDDINGS_DURATION: &str = "gen_ai.client.embeddings.duration";
/// Seconds to the first frame that shows something, of a streamed answer.
pub const TIME_TO_FIRST_CHUNK: &str = "gen_ai.client.inference.time_to_first_chunk";
/// Seconds from one frame that shows something to the next.
pub const TIME_PER_OUTPUT_CHUNK: &str = "gen_ai.client.inference.time_per_output_chunk";
/// Tokens of the prompts whose answers were delivered, as the upstream counted them, cached ones included.
pub const INPUT_USAGE: &str = "gen_ai.client.inference.usage.input_tokens";
/// Tokens of the delivered answers, reasoning included.
pub const OUTPUT_USAGE: &str = "gen_ai.client.inference.usage.output_tokens";
/// Of the prompts, read from the upstream's cache.
pub const CACHE_READ_USAGE: &str = "gen_ai.client.inference.usage.cache_read.input_tokens";
/// Of the prompts, written to the upstream's cache.
pub const CACHE_WRITE_USAGE: &str = "gen_ai.client.inference.usage.cache_write.input_tokens";
/// Of the answers, reasoning.
pub const REASONING_USAGE: &str = "gen_ai.client.inference.usage.reasoning.output_tokens";
/// Tokens of the prompt of one operation.
pub const OPERATION_INPUT_TOKENS: &str = "gen_ai.client.inference.operation.input_tokens";
/// Tokens of the answer of one operation.
pub const OPERATION_OUTPUT_TOKENS: &str = "gen_ai.client.inference.operation.output_tokens";
/// Tokens of the texts of one operation that embeds.
pub const EMBEDDINGS_INPUT_TOKENS: &str = "gen_ai.client.embeddings.operation.input_tokens";
/// Operations that have ended, by outcome.
pub const OPERATIONS: &str = "llm.operations";
/// Operations under way.
pub const OPERATIONS_ACTIVE: &str = "llm.operations.active";
/// Attempts of one operation. Sum over count is the amplification.
pub const OPERATION_ATTEMPTS: &str = "llm.operation.attempts";
/// US dollars for all attempts of one operation.
pub const OPERATION_COST: &str = "llm.operation.cost";
/// US dollars for attempts whose answer was not delivered.
pub const OPERATION_COST_WASTED: &str = "llm.operation.cost_wasted";
/// Attempts at a candidate that had been tried before.
pub const RETRIES: &str = "llm.operation.retries";
/// Candidates asked after the first.
pub const FALLBACKS: &str = "llm.operation.fallbacks";
/// Interrupted answers that were resumed.
pub const RESUMED: &str = "llm.operation.resumed";
/// Answers that the cache looked for, by what it did.
pub const CACHE_LOOKUPS: &str = "llm.operation.cache_lookups";
/// Degraded answers, by source and reason.
pub const DEGRADED: &str = "llm.operation.degraded";

// Metrics of attempts. Their names differ from those of operations, so that no sum counts anything twice.

/// Attempts that have ended, by outcome.
pub const ATTEMPTS_ENDED: &str = "llm.attempts";
/// Seconds from the start of an attempt to its end.
pub const ATTEMPT_DURATION: &str = "llm.attempt.duration";
/// Seconds from the start of an attempt to its first token, of a streamed answer.
pub const ATTEMPT_TIME_TO_FIRST_TOKEN: &str = "llm.attempt.time_to_first_token";
/// Tokens of the prompts of attempts, discarded ones too.
pub const ATTEMPT_INPUT_USAGE: &str = "llm.attempt.usage.input_tokens";
/// Tokens of the answers of attempts, discarded ones too.
pub const ATTEMPT_OUTPUT_USAGE: &str = "llm.attempt.usage.output_tokens";

// Metrics of what stands between.

/// Seconds that an attempt or a call waited for its turn.
pub const QUEUE_WAIT: &str = "llm.queue.wait";
/// Calls and attempts that a limit refused.
pub const LIMIT_REFUSALS: &str = "llm.limit.refusals";
/// The learned concurrency limit of a candidate.
pub const CONCURRENCY_LIMIT: &str = "llm.concurrency.limit";
/// Circuits that changed their state.
pub const CIRCUIT_TRANSITIONS: &str = "llm.circuit.transitions";
/// The state of a candidate's circuit: 0 closed or returning, 1 half-open, 2 open.
pub const CIRCUIT_STATE: &str = "llm.circuit.state";
/// Providers behind a router that requests leave out from then on, or no longer.
pub const PROVIDER_TRANSITIONS: &str = "llm.provider.transitions";
/// US dollars reserved for attempts in flight, which is not what they cost.
pub const RESERVED: &str = "llm.cost.reserved";
/// Attempts that a budget refused, by budget and reason.
pub const BUDGET_REFUSALS: &str = "llm.budget.refusals";
/// US dollars: the cap of a budget, of each of its accounts.
pub const BUDGET_CAP: &str = "llm.budget.cap";
/// US dollars spent in the present window, of the account that has the least left.
pub const BUDGET_SPENT: &str = "llm.budget.spent";
/// US dollars reserved of the same account.
pub const BUDGET_RESERVED: &str = "llm.budget.reserved";
/// US dollars that are neither spent nor reserved of the same account.
pub const BUDGET_LEFT: &str = "llm.budget.left";
/// Pauses requested by upstreams, by what they said.
pub const PAUSES: &str = "llm.pauses";
/// Entries and corrections that wait to be written to a ledger.
pub const LEDGER_WAITING: &str = "llm.ledger.waiting";
/// Entries and corrections that a ledger has lost.
pub const LEDGER_LOST: &str = "llm.ledger.lost";

// Buckets.

/// For whole operations and attempts, in seconds: those that OpenTelemetry advises.
pub const DURATION_BUCKETS: &[f64] = &[
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];
/// For first and further frames, in seconds: those that OpenTelemetry advises, and three more for models that think first.
pub const CHUNK_BUCKETS: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.75, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0,
];
/// For tokens: those that OpenTelemetry advises.
pub const TOKEN_BUCKETS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// For the attempts of one operation.
pub const ATTEMPT_BUCKETS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0];
/// For US dollars: from a hundredth of a cent up, two a decade.
pub const COST_BUCKETS: &[f64] = &[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
