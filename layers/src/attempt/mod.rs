//! One attempt: numbered, capped, logged, traced.
//!
//! Stands outside the attempt's timeouts and inside retry and fallback, so that whatever makes a call try again passes here.
//! It opens a line in the [`AttemptLog`](crate::AttemptLog) before the attempt starts and closes it however the attempt
//! ends: whole, failed, interrupted in mid-stream, or dropped at any await. It runs the attempt within a span
//! (`llm attempt`), see [`observe`](crate::observe).
//!
//! The request that is passed on carries an [`AttemptHandle`](crate::AttemptHandle) to that line ([`Call::attempt`](crate::Call::attempt)): what
//! stands below writes there, however long anything between has waited. A second exchange over the same attempt, by a service of your own
//! below this one, gets a line of its own from the [cost layer](crate::cost), and counts against the cap.
//!
//! # Errors
//!
//! [`LayerError::AttemptsSpent`](crate::LayerError::AttemptsSpent) if the call's attempt cap is used up.
//!
//! # Cancellation
//!
//! Dropping the future or the body closes the line as [`Outcome::Dropped`](crate::Outcome::Dropped).
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{AttemptLog, attempt::AttemptLayer};
//!
//! let service = AttemptLayer::new().cap(6).layer(ExampleService::default());
//!
//! let response = service.clone().oneshot(ExampleRequest::of("gpt-5")).await.map_err(|error| error.message)?;
//! let log = response.extensions().get::<AttemptLog>().ok_or("no log")?;
//! assert_eq!(log.to_string(), "  1  gpt-5                         answering, first token in 0 ms");
//!
//! let error = service.oneshot(ExampleRequest::of("busy")).await.err().ok_or("busy")?;
//! let log = error.marks.attempts().ok_or("no log")?;
//! assert_eq!(log.to_string(), "  1  busy                          overloaded                            after   0 ms");
//! # Ok(())
//! # }
//! ```

mod continued;
mod guard;
mod layer;
mod service;
mod watch;

pub(crate) use continued::Continued;
pub use layer::{AttemptLayer, DEFAULT_CAP};
pub use service::AttemptService;

use crate::watch::{WatchBody, WatchFuture};

/// The future of [`AttemptService`].
pub type AttemptFuture<F, E> = WatchFuture<F, E, watch::AttemptStart>;

/// The body of [`AttemptService`]: closes the attempt's line at its end.
pub type AttemptBody<B> = WatchBody<B, watch::AttemptWatch>;
