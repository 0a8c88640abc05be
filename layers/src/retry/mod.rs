//! The same candidate again, backed off, within budgets.
//!
//! Whether a failure may be repeated follows from its [kind](crate::FailureKind::advice); how long to wait from the
//! upstream's own hint, else from a [`Schedule`]: exponential with full jitter by default. Three things bound it:
//!
//! * the attempts on one candidate ([`RetryLayer::max_attempts`]);
//! * the cap on attempts of the whole call ([`AttemptLayer::cap`](crate::attempt::AttemptLayer::cap));
//! * a process-wide ratio of retries to calls ([`RetryBudget`]), so that an outage is not made worse. A call counts once, however
//!   long its chain. A layer outside that repeats the call to the same candidate, for example to resume an interrupted answer, also
//!   repeats an attempt.
//!
//! No wait outlives the call's deadline: if it would, the failure is returned at once, with the hint kept on it.
//!
//! # Errors
//!
//! The last failure, marked as given up on ([`FailureMarks::is_exhausted`](crate::FailureMarks::is_exhausted)).
//! [`LayerError::RetriesSpent`](crate::LayerError::RetriesSpent) if an attempt is repeated from outside and the ratio is used up.
//!
//! # Cancellation
//!
//! Dropping the future drops the attempt, or the wait; nothing is spawned.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::retry::{Exponential, RetryBudget, RetryLayer};
//!
//! let layer = RetryLayer::new()
//!     .max_attempts(3)
//!     .schedule(Exponential::new(Duration::from_millis(200), Duration::from_secs(5)))
//!     .budget(RetryBudget::new(0.1, 2.0));
//! let inner = ExampleService::default();
//! let service = layer.layer(inner.clone());
//!
//! service.oneshot(ExampleRequest::of("shaky")).await.map_err(|error| error.message)?;
//! assert_eq!(inner.asked(), ["shaky", "shaky"]);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "backoff")]
mod backoff_adapter;
mod budget;
mod decision;
mod future;
mod layer;
mod policy;
mod schedule;
mod service;

#[cfg(feature = "backoff")]
#[cfg_attr(docsrs, doc(cfg(feature = "backoff")))]
pub use backoff_adapter::BackoffSchedule;
pub use budget::RetryBudget;
pub use future::RetryFuture;
pub use layer::RetryLayer;
pub use policy::RetryPolicy;
pub use schedule::{Delays, Exponential, Schedule};
pub use service::Retry;
