// The examples of the front page use every layer.
#![cfg_attr(
    all(
        feature = "adaptive-concurrency",
        feature = "auth",
        feature = "circuit-breaker",
        feature = "cost",
        feature = "deadline",
        feature = "fallback",
        feature = "first-token",
        feature = "observe",
        feature = "rate-limit",
        feature = "resume",
        feature = "retry",
        feature = "timeout"
    ),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "adaptive-concurrency",
        feature = "auth",
        feature = "circuit-breaker",
        feature = "cost",
        feature = "deadline",
        feature = "fallback",
        feature = "first-token",
        feature = "observe",
        feature = "rate-limit",
        feature = "resume",
        feature = "retry",
        feature = "timeout"
    )),
    doc = "Tower layers for calls to language models."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod attempts;
#[cfg(feature = "cost")]
mod booking;
mod cache_key;
mod call;
mod candidate;
mod claim;
#[cfg(any(feature = "deadline", feature = "timeout"))]
mod clock;
mod coalesced;
mod degraded;
mod error;
mod failure;
mod frame;
mod key_extractor;
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker", feature = "fallback"))]
mod known;
mod macros;
mod metering;
mod needs;
mod no_store;
#[cfg(any(
    feature = "adaptive-concurrency",
    feature = "cache",
    feature = "circuit-breaker",
    feature = "fallback"
))]
mod prehashed;
mod price;
mod priority;
mod request;
mod resumed;
#[cfg(any(feature = "adaptive-concurrency", feature = "circuit-breaker"))]
mod stopwatch;
mod tags;
mod unbilled;
mod unknown_name;
mod usage;
mod usd;
mod utc;

#[cfg(feature = "adaptive-concurrency")]
#[cfg_attr(docsrs, doc(cfg(feature = "adaptive-concurrency")))]
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
#[cfg(feature = "circuit-breaker")]
#[cfg_attr(docsrs, doc(cfg(feature = "circuit-breaker")))]
pub mod circuit_breaker;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod cost;
#[cfg(feature = "deadline")]
#[cfg_attr(docsrs, doc(cfg(feature = "deadline")))]
pub mod deadline;
pub mod degrade;
#[cfg(feature = "fallback")]
#[cfg_attr(docsrs, doc(cfg(feature = "fallback")))]
pub mod fallback;
#[cfg(feature = "first-token")]
#[cfg_attr(docsrs, doc(cfg(feature = "first-token")))]
pub mod first_token;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod ledger;
#[cfg(feature = "observe")]
#[cfg_attr(docsrs, doc(cfg(feature = "observe")))]
pub mod observe;
#[cfg(feature = "rate-limit")]
#[cfg_attr(docsrs, doc(cfg(feature = "rate-limit")))]
pub mod rate_limit;
#[cfg(feature = "cost")]
#[cfg_attr(docsrs, doc(cfg(feature = "cost")))]
pub mod reconcile;
#[cfg(feature = "resume")]
#[cfg_attr(docsrs, doc(cfg(feature = "resume")))]
pub mod resume;
#[cfg(feature = "retry")]
#[cfg_attr(docsrs, doc(cfg(feature = "retry")))]
pub mod retry;
pub mod tagging;
#[cfg(feature = "timeout")]
#[cfg_attr(docsrs, doc(cfg(feature = "timeout")))]
pub mod timeout;

pub use attempts::{Attempt, AttemptLog, Outcome};
pub use cache_key::{CacheKey, KeyWriter, changes_no_answer};
pub use call::Call;
pub use candidate::{Candidate, CandidateError};
pub use coalesced::Coalesced;
pub use degraded::{Degraded, DegradedSource};
pub use error::LayerError;
pub use failure::{Advice, Failure, FailureKind, FallbackAdvice, Health, Phase, RetryAdvice, Scope};
pub use frame::{Frame, Shown, Stage};
pub use key_extractor::{GlobalKey, KeyExtractor};
pub use needs::{Capability, Modalities, Needs};
pub use no_store::NoStore;
pub use price::{PriceCeiling, PriceList, Quote, WorstCasePrice};
pub use priority::Priority;
pub use request::LlmRequest;
pub use resumed::{Resumed, Resumption};
pub use tags::{LONGEST_TAG_NAME, LONGEST_TAG_VALUE, MOST_TAGS, TagError, Tags};
pub use unbilled::Unbilled;
pub use unknown_name::UnknownName;
pub use usage::TokenUsage;
pub use usd::{UsdAmount, UsdError};
pub use utc::UtcTime;
