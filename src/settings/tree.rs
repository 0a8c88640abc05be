//! Every setting of a stack, by the names of the builder's setters.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tower_llm_layers::{
    DEFAULT_MIN_OUTPUT_TOKENS, attempt::DEFAULT_CAP, cost::DEFAULT_OUTPUT_TOKENS, retry::RetryPolicy, timeout::Timeouts,
};

use super::{
    AdaptiveConcurrencySettings, AttributionSettings, BackoffSettings, BudgetSettings, CacheSettings,
    CandidateSettings, CircuitBreakerSettings, ConformanceSettings, ConnectionsSettings, FinishReasonSettings,
    HedgeSettings, IdempotencySettings, MaxPerHourSettings, MinThroughputSettings, OrOff, PriceSettings,
    ProviderHealthSettings, ResumeSettings, RetryBudgetSettings, TenantLimitsSettings, Time, UnknownPriceSettings,
    UpstreamLimitsSettings, UpstreamSettings, source::Source,
};
use crate::stack::RESERVATION_WAIT;

/// Every setting of a stack that a file can hold. The names are those of [`StackBuilder`](crate::stack::StackBuilder)'s setters; what is not set
/// has the builder's default.
///
/// Read one with [`from_file`](Self::from_file), [`from_toml`](Self::from_toml) or [`from_json`](Self::from_json), which report everything that is
/// wrong, with line and column. As a part of a larger configuration it is read by serde; then the first problem is the only one reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(description = "The settings of a stack: https://docs.rs/tower-openrouter/latest/tower_openrouter/settings/")]
#[non_exhaustive]
pub struct Settings {
    /// The upstreams, with their keys. A request's own model is called at the first one.
    pub upstream: Vec<UpstreamSettings>,
    /// How the app shows at OpenRouter.
    pub attribution: AttributionSettings,
    /// How connections are made and kept.
    pub connections: ConnectionsSettings,
    /// The largest event of a stream, in bytes.
    pub max_event_bytes: usize,
    /// How long a stream is read for its usage, and for its end, behind the finish of the answer.
    pub trailer_timeout: Time,
    /// The models that may answer, in order. Without any, each request must name its model.
    pub chain: Vec<CandidateSettings>,
    /// Cheaper models, tried when all of the chain has failed; their answers are marked as degraded.
    pub cheaper: Vec<CandidateSettings>,
    /// What to do with the model that a request names itself.
    pub requested_model: RequestedModelSettings,
    /// Whether another candidate may answer what one has refused on moderation or policy.
    pub fallback_on_refusal: bool,
    /// Whether another model may answer a request for embeddings. If not, only the same model at another upstream does.
    pub fallback_for_embeddings: bool,
    /// Finish reasons that count as failures. None by default.
    pub fail_on_finish_reason: Vec<FinishReasonSettings>,
    /// Whether the next candidates go along as OpenRouter's own `models` list, three in all.
    pub server_side_fallback: bool,
    /// A file with the models of OpenRouter, as `Catalogue::save` writes it: candidates that cannot take a request are skipped, and money is
    /// reserved by its prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalogue: Option<PathBuf>,
    /// The longest time from the start of a call to its last byte. A caller's header can only shorten it. By default 3 minutes and the time for
    /// reasoning bound the beginning of an answer; one that has begun then has 1 s for each 10 tokens of its limit, 1 hour at most, and may show
    /// nothing for 1 minute, or as long as `idle_timeout` allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<OrOff<Time>>,
    /// From the start of a streamed attempt to its first token.
    pub first_token_timeout: OrOff<Time>,
    /// From the start of a plain attempt to its whole answer.
    pub response_timeout: OrOff<Time>,
    /// Added to `first_token_timeout` and `response_timeout` for the last candidate.
    pub last_candidate_grace: Time,
    /// The longest silence once the answer has begun.
    pub idle_timeout: OrOff<Time>,
    /// The slowest stream that is still worth waiting for. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_throughput: Option<MinThroughputSettings>,
    /// The most attempts one call may make in all.
    pub attempts: u32,
    /// The most attempts on one candidate, the first included.
    pub attempts_per_candidate: u32,
    /// The longest wait for one retry if no other candidate is left.
    pub max_retry_delay: Time,
    /// The longest wait for one retry while another candidate could answer instead.
    pub max_retry_delay_with_fallback: Time,
    /// Whether a silent candidate is tried again if there is no other.
    pub retry_timeouts: bool,
    /// How long to wait for a retry if the upstream does not say.
    pub backoff: BackoffSettings,
    /// The process-wide ratio of retries to calls.
    pub retry_budget: RetryBudgetSettings,
    /// When a candidate that fails too often is skipped, and how it is probed.
    pub circuit_breaker: OrOff<CircuitBreakerSettings>,
    /// Leaves providers behind OpenRouter out of requests while they fail. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_health: Option<ProviderHealthSettings>,
    /// Whether each attempt requests OpenRouter's report of what its router tried.
    pub router_metadata: bool,
    /// Hedges a slow candidate: the next one is tried in parallel. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeSettings>,
    /// Resumes an interrupted stream. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<ResumeSettings>,
    /// Which plain calls are streamed upstream and assembled.
    pub stream_upstream: StreamUpstreamSettings,
    /// Rejects whole answers and tool arguments that do not fit the requested schemas. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conformance: Option<ConformanceSettings>,
    /// Limits of each tenant, once a call. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_limits: Option<TenantLimitsSettings>,
    /// Limits of each candidate, once an attempt. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_limits: Option<UpstreamLimitsSettings>,
    /// A learned concurrency limit per candidate. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive_concurrency: Option<AdaptiveConcurrencySettings>,
    /// The cache of responses. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheSettings>,
    /// Calls with the same idempotency key are made once. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency: Option<IdempotencySettings>,
    /// The text returned as the answer when every candidate has failed. Off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canned_reply: Option<String>,
    /// The most that may be spent. Needs prices: `catalogue`, `prices` or `unknown_price`.
    pub budget: Vec<BudgetSettings>,
    /// The most that may be spent in any hour, for all calls together. Off by default. Needs prices, as `budget` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_hour: Option<MaxPerHourSettings>,
    /// Prices of models at other upstreams than OpenRouter, or in the place of those of the catalogue.
    pub prices: Vec<PriceSettings>,
    /// What to do if a budget applies and the price of a candidate is unknown. It is skipped by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_price: Option<UnknownPriceSettings>,
    /// The `max_tokens` of requests that name none, if a budget applies; `off` reserves the longest answer of the model.
    pub default_output_tokens: OrOff<u64>,
    /// The shortest answer, in tokens, that a budget may shorten a request to before it refuses it.
    pub min_output_tokens: u64,
    /// The longest time that a call waits for reservations to end.
    pub max_reservation_wait: Time,
    /// Lets requests through under a budget whose tools cost more than any reservation can bound.
    pub allow_unreserved_tools: bool,
    /// Refuses a call without this tag. None is required by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_tag: Option<String>,
    /// What is recorded of each call in addition to its numbers.
    pub observe: ObserveSettings,
    /// Where each of them stands in the text that they were read from.
    #[serde(skip)]
    pub(super) source: Source,
}

/// What to do with the model that a request names itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestedModelSettings {
    /// It goes first, at the first candidate's upstream; the chain follows.
    #[default]
    First,
    /// The chain alone decides.
    Ignored,
}

/// Which plain calls are streamed upstream and assembled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StreamUpstreamSettings {
    /// Those that ask for it.
    #[default]
    OnRequest,
    /// All that a stream can carry.
    Always,
}

/// What is recorded of each call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ObserveSettings {
    /// The tags on its span and as labels of its metrics: a team, and not a user.
    pub tags: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let (timeouts, retry) = (Timeouts::default(), RetryPolicy::default());
        Self {
            upstream: Vec::new(),
            attribution: AttributionSettings::default(),
            connections: ConnectionsSettings::default(),
            max_event_bytes: 64 * 1024 * 1024,
            trailer_timeout: Time::seconds(10),
            chain: Vec::new(),
            cheaper: Vec::new(),
            requested_model: RequestedModelSettings::default(),
            fallback_on_refusal: false,
            fallback_for_embeddings: false,
            fail_on_finish_reason: Vec::new(),
            server_side_fallback: false,
            catalogue: None,
            deadline: None,
            first_token_timeout: timeouts.first_token.into(),
            response_timeout: timeouts.response.into(),
            last_candidate_grace: timeouts.last_candidate_grace.into(),
            idle_timeout: timeouts.idle.into(),
            min_throughput: None,
            attempts: DEFAULT_CAP,
            attempts_per_candidate: retry.max_attempts,
            max_retry_delay: retry.max_retry_delay.into(),
            max_retry_delay_with_fallback: retry.max_retry_delay_with_fallback.into(),
            retry_timeouts: retry.retry_timeouts,
            backoff: BackoffSettings::default(),
            retry_budget: RetryBudgetSettings::default(),
            circuit_breaker: OrOff::default(),
            provider_health: None,
            router_metadata: false,
            hedge: None,
            resume: None,
            stream_upstream: StreamUpstreamSettings::default(),
            conformance: None,
            tenant_limits: None,
            upstream_limits: None,
            adaptive_concurrency: None,
            cache: None,
            idempotency: None,
            canned_reply: None,
            budget: Vec::new(),
            max_per_hour: None,
            prices: Vec::new(),
            unknown_price: None,
            default_output_tokens: OrOff::On(DEFAULT_OUTPUT_TOKENS),
            min_output_tokens: DEFAULT_MIN_OUTPUT_TOKENS,
            max_reservation_wait: RESERVATION_WAIT.into(),
            allow_unreserved_tools: false,
            require_tag: None,
            observe: ObserveSettings::default(),
            source: Source::default(),
        }
    }
}
