//! Spans and metrics of what callers asked for, and of what was tried upstream, kept apart.
//!
//! [`ObserveLayer`] stands outermost. It makes one span an operation (`llm operation`, shown as `chat gpt-5` by OpenTelemetry), which all
//! events and spans below hang on, and which is told at its end what the caller saw: how long, the first token, tokens, cost, attempts,
//! the failure, the rung where the answer is degraded. [`ObserveAttemptLayer`] stands around the attempt, and makes one span for
//! each (`llm attempt`), so that whatever is said below names the model. With the feature `metrics` the same goes to the
//! [`metrics`](https://docs.rs/metrics) facade, for whichever exporter is installed: an operation under OpenTelemetry's names, once, whatever
//! it took; attempts under names of their own. [`names`] has them all, with the buckets that fit.
//!
//! Neither prompts nor answers are ever written, nor keys, tenants or tags. Of models a thousand names are told apart in metrics, and
//! the rest is `other`.
//!
//! Where nobody listens a span costs next to nothing.
//!
//! # Errors
//!
//! None of its own.
//!
//! # Cancellation
//!
//! Whoever is dropped is told as `cancelled`, once.
//!
//! # Example
//!
//! ```
//! # mod theirs { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/theirs.rs")); }
//! # use theirs::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{attempt::AttemptLayer, observe::{ObserveAttemptLayer, ObserveLayer}};
//!
//! let service = ServiceBuilder::new()
//!     .layer(ObserveLayer::new())
//!     .layer(ObserveAttemptLayer::new())
//!     .layer(AttemptLayer::new())
//!     .service(Theirs::default());
//! service.oneshot(Ask::of("gpt-5")).await.map_err(|error| error.message)?;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod body;
mod future;
mod layer;
pub mod names;
mod operation;
mod record;
mod service;

pub use body::ObserveBody;
pub use future::ObserveFuture;
pub use layer::{ObserveAttemptLayer, ObserveLayer};
pub use service::{Observe, ObserveAttempt};

/// The body of [`Observe`].
pub type ObservedBody<B> = ObserveBody<B, operation::OperationRecord>;

/// The body of [`ObserveAttempt`].
pub type ObservedAttemptBody<B> = ObserveBody<B, attempt::AttemptRecord>;
