// The examples of the front page use every layer.
#![cfg_attr(
    all(
        feature = "auth",
        feature = "cost",
        feature = "pause",
        feature = "rate-limit",
        feature = "retry"
    ),
    doc = include_str!("crate.md")
)]
#![cfg_attr(
    not(all(
        feature = "auth",
        feature = "cost",
        feature = "pause",
        feature = "rate-limit",
        feature = "retry"
    )),
    doc = "Tower layers for calls to language models."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Each layer uses a part of it.
#[cfg_attr(
    any(
        not(feature = "auth"),
        not(feature = "cache"),
        not(feature = "cost"),
        not(feature = "retry"),
        not(feature = "pause")
    ),
    expect(dead_code, reason = "used by layers whose features are off")
)]
mod call;
mod failure;
mod marks;
mod metering;
mod money;
mod prices;
mod protocol;
mod util;
pub mod watch;

pub mod adaptive_concurrency;
pub mod attempt;
#[cfg(feature = "auth")]
#[cfg_attr(docsrs, doc(cfg(feature = "auth")))]
pub mod auth;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod budget;
#[cfg(feature = "cache")]
#[cfg_attr(docsrs, doc(cfg(feature = "cache")))]
pub mod cache;
pub mod circuit_breaker;
pub mod conformance;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod cost;
pub mod deadline;
pub mod degrade;
pub mod events;
pub mod fallback;
pub mod first_token;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod ledger;
pub mod observe;
#[cfg(feature = "pause")]
#[cfg_attr(docsrs, doc(cfg(feature = "pause")))]
pub mod pause;
pub mod provider_health;
#[cfg(feature = "rate-limit")]
#[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
pub mod rate_limit;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod reconcile;
pub mod resume;
#[cfg(feature = "retry")]
#[cfg_attr(docsrs, doc(cfg(feature = "retry")))]
pub mod retry;
pub mod tagging;
pub mod timeout;

pub use call::{
    Attempt, AttemptHandle, AttemptLog, CacheMode, Call, Candidate, CandidateError, ContinueBy, MAX_TAG_NAME_BYTES,
    MAX_TAG_VALUE_BYTES, MAX_TAGS, MediaKinds, Needs, Outcome, Priority, Route, RouterAttempt, TagError, Tags,
    TimeoutOverrides, ToolLoop,
};
pub use failure::{Advice, FailureKind, FailureScope, FallbackAdvice, Health, Phase, RetryAdvice};
pub use marks::{Coalesced, Degraded, DegradedSource, NoStore, OutputLimit, Replayed, Resumed, Resumption, Unbilled};
pub use money::{PriceCeiling, PriceTier, TokenUsage, UsdAmount, UsdError};
pub use prices::{FixedPrices, PriceList, Quote, WorstCasePrice};
#[cfg(feature = "cache")]
pub use protocol::StorableFrame;
pub use protocol::{
    Apis, Block, BlockEdge, BlockKind, Budgeted, CacheKey, Capability, Continuable, DEFAULT_MIN_OUTPUT_TOKENS, Failure,
    FailureMarks, Frame, GlobalKey, KeyExtractor, KeyWriter, LayerError, LlmRequest, ProviderRouting, Shown, Splice,
    Stage, is_irrelevant_header,
};
pub use util::{MAX_DURATION, ParseUtcTimeError, UnknownName, UtcTime};
