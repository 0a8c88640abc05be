#![doc = include_str!("crate.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assemble;
mod body;
mod bounds;
mod classify;
mod dialect;
mod encoding;
mod error;
mod exchange_watch;
mod frame;
mod frame_facts;
mod free;
mod held;
mod in_flight;
mod limit_status;
mod poll_gate;
mod problems;
mod reset_time;
mod router_metadata;
mod sealed;
mod sent_key;
mod service_ext;

pub mod account;
pub mod api;
pub mod balance;
pub mod catalogue;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod conformance;
pub mod degrade;
pub mod endpoint;
pub mod prelude;
pub mod recording;
pub mod request;
pub mod response;
#[cfg(feature = "settings")]
#[cfg_attr(docsrs, doc(cfg(feature = "settings")))]
pub mod settings;
pub mod stack;
pub mod stream_upstream;
#[cfg(feature = "typed")]
#[cfg_attr(docsrs, doc(cfg(feature = "typed")))]
pub mod tools;
pub mod transport;
#[cfg(feature = "typed")]
#[cfg_attr(docsrs, doc(cfg(feature = "typed")))]
pub mod typed;

/// Server-sent events: the bytes of a streamed answer in, events out.
pub use openrouter_wire::sse;
/// The layers by themselves: for stacks put together by hand.
pub use tower_llm_layers as layers;

/// A durable ledger: what every attempt cost, in SQLite or PostgreSQL.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "sqlite", feature = "postgres"))))]
pub use tower_llm_ledger as ledger;
/// Budgets and limits that several processes share, on Redis or Valkey.
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub use tower_llm_redis as redis;

pub use account::Account;
pub use api::{ApiRequest, EmbeddingRequest, MessagesRequest, ResponsesRequest};
pub use body::ChatBody;
pub use catalogue::Catalogue;
pub use error::Error;
pub use frame::{ChatFrame, FrameKind};
pub use openrouter_wire::Api;
pub use request::ChatRequest;
pub use service_ext::ChatServiceExt;
pub use stack::{Answer, BoxStack, ChatService, Completion, Stack};
pub use tower_llm_layers::{
    Attempt, AttemptLog, Candidate, FailureKind, Outcome, Phase, Tags, UsdAmount,
    auth::{ApiKey, KeyPool, Keys},
};
pub use transport::{
    Transport, Upstream,
    wire::{BodySegments, WireRequest},
};

/// The examples of the pages that a forge shows, compiled as documentation tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/migrating/from-reqwest.md")]
    struct FromReqwest;
}
