//! The chain of candidates: another model, or another upstream, where one fails.
//!
//! Whether to move on follows from the *kind* of the failure and its [scope](crate::Scope), never from how many retries are
//! left: a quota that is gone is gone for every candidate of the same pool, a rejected key for every candidate of the same
//! upstream, a prompt that is too long for every candidate with no larger context. With [`Capabilities`], candidates that
//! cannot take the request at all are passed over before anything is sent.
//!
//! Stands outside retry: a candidate is given up on first, then the chain moves.
//!
//! # Errors
//!
//! The last candidate's failure; [`LayerError::NoCandidate`](crate::LayerError::NoCandidate) where none can take the request,
//! with the reason for each.
//!
//! # Cancellation
//!
//! Dropping the future drops the attempt in flight; nothing is spawned.
//!
//! # Example
//!
//! ```
//! use tower_layer::Layer;
//! use tower_llm_layers::{Candidate, fallback::{Chain, FallbackLayer}};
//!
//! # fn wrap<S>(theirs: S) -> Result<(), Box<dyn std::error::Error>> {
//! let chain = Chain::new([
//!     Candidate::new("openrouter", "anthropic/claude-sonnet-4.5")?,
//!     Candidate::new("openrouter", "openai/gpt-5")?,
//!     Candidate::new("openai", "gpt-5")?, // straight to the provider, should the router be down
//! ])?;
//! let service = FallbackLayer::new(chain).layer(theirs);
//! assert_eq!(service.chain().candidates().len(), 3);
//! # Ok(())
//! # }
//! # wrap(()).unwrap();
//! ```

mod chain;
mod cursor;
mod future;
mod layer;
mod service;

pub use chain::{AskedModel, Capabilities, Chain, ChainError, SERVER_SIDE_MODELS};
pub use future::FallbackFuture;
pub use layer::FallbackLayer;
pub use service::Fallback;
