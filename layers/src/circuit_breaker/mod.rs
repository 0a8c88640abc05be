//! A circuit breaker for each candidate: one that is down is skipped at once, so that no call waits for it.
//!
//! A circuit opens if too many of the last attempts failed, or began too slowly. It then refuses attempts, lets a bounded
//! number of probes through after a while, closes when they go well, and returns to full traffic in a straight line.
//!
//! Only failures that show an unhealthy upstream count ([`Health::Unhealthy`](crate::Health::Unhealthy)). What the caller, its deadline or
//! its budget caused does not count, nor does a rate-limited attempt (it pauses, see [`pause`](crate::pause)) or a rejected
//! key (the [key pool](crate::auth) rests that one). An attempt counts as good when its answer begins, and as failed after all
//! if the answer is interrupted. Failures are often faster than first tokens: so attempts that began before a failure and are still
//! in flight count as not failed, until one that began after them has succeeded.
//!
//! Stands inside retry and fallback, outside the attempt and its limits. [`Fallback`](crate::fallback) moves on from a refusal at
//! once. If it has no other candidate left, it tries the candidate whose probe is due next as a
//! [last resort](crate::Call::is_last_resort), which passes an open circuit up to so many at once: an outage of all is one
//! attempt per call at most, and the first answers end it. When a circuit closes, the others of its upstream are probed at once.
//!
//! # Errors
//!
//! [`LayerError::CircuitOpen`](crate::LayerError::CircuitOpen), with the time of the next probe. A failure that opens the circuit is
//! marked as given up on, so that no retry waits for a refusal.
//!
//! # Cancellation
//!
//! Dropping the future releases a probe's place, and counts nothing. A probe that is neither dropped nor polled holds its place for as long
//! as the circuit would be open again, had it failed; then the next attempt is the probe.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::circuit_breaker::{CircuitBreakerLayer, CircuitPolicy, CircuitState};
//!
//! let layer = CircuitBreakerLayer::new(CircuitPolicy::new().min_calls(3))?;
//! let inner = ExampleService::default();
//! let service = layer.layer(inner.clone());
//!
//! for _ in 0..10 {
//!     let _ = service.clone().oneshot(ExampleRequest::of("busy")).await;
//! }
//! assert_eq!(inner.asked().len(), 3, "it opened");
//!
//! let circuits = layer.circuits().reports();
//! assert!(matches!(circuits[0].state, CircuitState::Open { .. }));
//! # Ok(())
//! # }
//! ```

mod admitted;
mod circuit;
mod circuits;
mod in_flight;
mod layer;
mod pass;
mod policy;
mod report;
mod service;
mod state;
mod transitions;
mod watch;

pub use circuits::{Circuits, MAX_CIRCUITS};
pub use layer::CircuitBreakerLayer;
pub use policy::{CircuitError, CircuitPolicy, CircuitProblem};
pub use report::{CircuitReport, CircuitState};
pub use service::CircuitBreaker;

use crate::watch::{WatchBody, WatchFuture};

/// The future of [`CircuitBreaker`].
pub type CircuitBreakerFuture<F, E> = WatchFuture<F, E, watch::CircuitStart>;

/// The body of [`CircuitBreaker`]: an answer that is interrupted counts as a failure after all.
pub type CircuitBreakerBody<B> = WatchBody<B, watch::CircuitWatch>;
