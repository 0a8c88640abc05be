//! The chain of candidates: another model, or another upstream, if one fails.
//!
//! Whether to move on follows from the *kind* of the failure and its [scope](crate::FailureScope), never from how many retries are
//! left: a quota that is gone is gone for every candidate of the same pool, a rejected key for every candidate of the same
//! upstream, a prompt that is too long for every candidate with no larger context. With [`Capabilities`], candidates that
//! cannot take the request at all are passed over before anything is sent.
//!
//! Stands outside retry: a candidate is retried first, then the next one is tried. One whose circuit is open
//! ([`FailureKind::CircuitOpen`](crate::FailureKind::CircuitOpen)) is skipped at once; if no other candidate is left, the one that
//! is probed soonest is tried after all. A call that is repeated because its answer was interrupted before a part was shown tries the
//! interrupted candidate after all others, and only once more.
//!
//! If money is short, an affordable candidate comes before a shorter answer: each candidate is called for the whole answer first. When none
//! is left, the one that could give the largest answer, of [`DEFAULT_MIN_OUTPUT_TOKENS`](crate::DEFAULT_MIN_OUTPUT_TOKENS) at least, has one more turn. Its
//! answer carries [`Degraded`](crate::Degraded) if it was shortened.
//!
//! With a [`Hedge`] the next candidate is tried in parallel if the first token is late.
//!
//! # Errors
//!
//! The last candidate's failure; [`LayerError::NoCandidate`](crate::LayerError::NoCandidate) if none can take the request,
//! with the reason for each; [`LayerError::PromptTooLong`](crate::LayerError::PromptTooLong) if all their contexts are too small.
//!
//! # Cancellation
//!
//! Dropping the future drops the attempts in flight; nothing is spawned. When one of two begins its answer, the other is dropped,
//! and the log says that it was outrun.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{Candidate, fallback::{Chain, FallbackLayer}};
//!
//! let chain = Chain::new([
//!     Candidate::new("router", "busy")?,
//!     Candidate::new("router", "gpt-5")?,
//!     Candidate::new("openai", "gpt-5")?, // straight to the provider, should the router be down
//! ])?;
//! let inner = ExampleService::default();
//! let service = FallbackLayer::new(chain).layer(inner.clone());
//!
//! service.oneshot(ExampleRequest::of("")).await.map_err(|error| error.message)?;
//! assert_eq!(inner.asked(), ["busy", "gpt-5"]);
//! # Ok(())
//! # }
//! ```

mod after;
mod chain;
mod cursor;
mod future;
mod hedge;
mod hedging;
mod interrupted;
mod lane;
mod layer;
mod same_model;
mod service;
mod shortened;
mod track;
mod verdict;

pub use chain::{Capabilities, Chain, ChainError, RequestedModel};
pub use future::FallbackFuture;
pub use hedge::Hedge;
pub use layer::FallbackLayer;
pub use service::Fallback;
