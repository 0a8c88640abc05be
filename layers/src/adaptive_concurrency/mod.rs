//! Learns a concurrency limit per candidate: how many attempts it sustains at once.
//!
//! Each candidate has a limit of attempts in flight, streams that are being read included. An attempt that is rate limited or finds the
//! upstream overloaded lowers the limit by a factor, once for all attempts that were in flight together. So do first tokens of streams that
//! recently became much slower than usual. Each round of good answers adds one, while at least half of the limit is used. Failures that the
//! caller, its deadline or its budget caused, and cancelled calls, change nothing.
//!
//! Attempts beyond the limit wait in a queue: interactive calls before batches ([`Priority`](crate::Priority)), each in order of arrival; one
//! place in ten goes to the oldest batch. An attempt that is not expected to pass within its deadline, by the duration of recent attempts, is
//! refused at once. If the queue is full, an interactive call takes the place of the batch that came last, and any other call is refused.
//! Then the next candidate of a chain is tried.
//!
//! # Place
//!
//! Inside retry, fallback and the circuit breaker, outside the attempt and its timeouts, so that queueing does not count as a slow model.
//!
//! # Errors
//!
//! [`LayerError::ConcurrencyLimited`](crate::LayerError::ConcurrencyLimited), with the expected wait.
//!
//! # Cancellation
//!
//! Dropping a future that waits gives its turn to the next; dropping one that has passed, or its body, frees its permit.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy};
//!
//! let layer = AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new().initial(10))?;
//! let service = layer.layer(ExampleService::default());
//! // The upstream is overloaded: the limit is lowered.
//! let _ = service.oneshot(ExampleRequest::of("busy")).await;
//! let reports = layer.limits().reports();
//! assert_eq!(reports[0].limit, 7);
//! # Ok(())
//! # }
//! ```

mod future;
mod gate;
mod gates;
mod layer;
mod limit;
mod policy;
mod queue;
mod service;
mod watch;

pub use gates::{ConcurrencyLimits, ConcurrencyReport, MAX_CONCURRENCY_LIMITS};
pub use layer::AdaptiveConcurrencyLayer;
pub use policy::{ConcurrencyError, ConcurrencyPolicy};
pub use service::AdaptiveConcurrency;

/// The future of [`AdaptiveConcurrency`].
pub type AdaptiveConcurrencyFuture<S, R> = crate::watch::AdmitFuture<S, R, future::ConcurrencyWait>;

/// The body of [`AdaptiveConcurrency`]: its place is free at the end of the answer.
pub type AdaptiveConcurrencyBody<B> = crate::watch::WatchBody<B, watch::PermitWatch>;

use crate::{Failure, FailureKind};

/// Whether the failure means that the upstream is overloaded. A limit of our own, inside, refuses without a status, and does not count.
fn is_overload<E: Failure>(error: &E) -> bool {
    match error.kind() {
        FailureKind::Overloaded => true,
        FailureKind::RateLimited => error.status().is_some(),
        _ => false,
    }
}
