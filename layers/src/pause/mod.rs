//! What an upstream said of its limits is remembered: a candidate that asked for a pause is not called again before it is over.
//!
//! Three things are remembered, for a candidate, for all that is paid from its [pool](crate::Candidate::pool), or for its whole upstream, as
//! the failure's [`FailureScope`](crate::FailureScope) says:
//!
//! * [`RateLimited`](crate::FailureKind::RateLimited) with a hint pauses until then, with one probe a minute: a hint of a day may be a
//!   mistake. Without a hint, the third in a row pauses for 1 s, and each further one for twice as long, up to 60 s.
//! * [`QuotaExhausted`](crate::FailureKind::QuotaExhausted) pauses until the reset, with one probe an hour: a probe that fails may count
//!   against the quota.
//! * A success that says how little is left of a limit ([`RateLimitStatus`], in the extensions of the response) slows the candidate down:
//!   calls are spread over the time to the reset, before the first one is refused.
//!
//! A success ends a pause, and so does an operator who has raised the limit ([`Pauses::lift`]); what an
//! attempt meets that began before that pauses nothing. A probe is one call's attempt: if it is dropped, the next call is the probe; if it is neither dropped nor polled,
//! the probe after it comes in its time.
//!
//! A call whose chain has another candidate is refused at once, and the chain moves on. A call with no other candidate waits, if the pause
//! ends within [`PauseLayer::max_wait`] and its deadline; the callers that wait for the same end wake spread out. Otherwise the refusal says
//! when the candidate is called again.
//!
//! State is kept for each candidate and [`Route`](crate::Route): what a caller pins (its provider, its account) pauses no other call. Up to
//! [`MAX_PAUSES`] pauses are held, and a tenth of that for what callers pin.
//!
//! # Place
//!
//! Inside retry, fallback and the circuit breaker, outside the attempt and its timeouts.
//!
//! # Errors
//!
//! [`LayerError::Paused`](crate::LayerError::Paused), of the kind of the failure that it remembers.
//!
//! # Cancellation
//!
//! Dropping a future that waits takes nothing. Dropping a probe leaves the next call to be the probe.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::pause::PauseLayer;
//!
//! let service = PauseLayer::new().layer(ExampleService::default());
//! assert!(service.oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod lifts;
mod pauses;
mod service;
mod status;
mod ticket;
mod verdict;
mod verdicts;

pub use layer::PauseLayer;
pub use pauses::{MAX_PAUSES, PauseReport, Pauses};
pub use service::Pause;
pub use status::RateLimitStatus;

/// The future of [`Pause`].
pub type PauseFuture<S, R> = crate::watch::AdmitFuture<S, R, future::PauseWait>;
