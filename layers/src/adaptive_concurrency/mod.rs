//! How many attempts a candidate bears at once, learnt from how it bears them.
//!
//! Each candidate has a limit of attempts under way, streams that are being read included. An attempt that is throttled or finds the
//! upstream overloaded takes a part of the limit away, once for all that were under way together; so do first tokens of streams that come, of late,
//! much slower than usual. Each round of good answers adds one, while at least half of the limit is used. What the caller, its deadline or
//! its budget caused, and whoever leaves, changes nothing.
//!
//! Those beyond the limit wait: interactive calls before batches ([`Priority`](crate::Priority)), each in the order of arrival; one place in
//! ten goes to the oldest batch. A call that could not pass within its deadline, by how long attempts have taken, is refused at once. If the
//! queue is full, an interactive call takes the place of the batch that came last, and any other call is refused: then the next candidate of
//! a chain is called.
//!
//! # Place
//!
//! Inside retry, fallback and the circuit breaker, outside the attempt and its clocks, so that waiting is not taken for a slow model.
//!
//! # Errors
//!
//! [`LayerError::ConcurrencyLimited`](crate::LayerError::ConcurrencyLimited), with the wait that was expected.
//!
//! # Cancellation
//!
//! Dropping a future that waits gives its turn to the next; dropping one that has passed, or its body, frees the place.
//!
//! # Example
//!
//! ```
//! # mod theirs { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/theirs.rs")); }
//! # use theirs::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::adaptive_concurrency::{AdaptiveConcurrencyLayer, ConcurrencyPolicy};
//!
//! let layer = AdaptiveConcurrencyLayer::new(ConcurrencyPolicy::new().initial(10))?;
//! let service = layer.layer(Theirs::default());
//! // The upstream has too much to do: a part of the limit goes.
//! let _ = service.oneshot(Ask::of("busy")).await;
//! let reports = layer.limits().map(|limits| limits.reports()).unwrap_or_default();
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

pub use future::AdaptiveConcurrencyFuture;
pub use gates::{ConcurrencyLimits, ConcurrencyReport, MOST_LIMITS};
pub use layer::AdaptiveConcurrencyLayer;
pub use policy::{ConcurrencyError, ConcurrencyPolicy};
pub use service::AdaptiveConcurrency;

/// The body of [`AdaptiveConcurrency`]: its place is free at the end of the answer.
pub type AdaptiveConcurrencyBody<B> = crate::watch::WatchBody<B, watch::PermitWatch>;

use crate::{Failure, FailureKind};

/// Whether it says that the upstream has too much to do. A limit of our own, inside, throttles without a status, and says nothing of that.
fn is_overload<E: Failure>(error: &E) -> bool {
    match error.kind() {
        FailureKind::Overloaded => true,
        FailureKind::RateLimited => error.status().is_some(),
        _ => false,
    }
}
