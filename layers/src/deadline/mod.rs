//! One instant by which a call must have ended, last byte of the stream included.
//!
//! Stands outermost: queueing, back-off, every attempt and the whole body live under it. Layers inside read
//! [`Call::deadline`](crate::Call::deadline) and never wait past it. The deadline is the earliest of the layer's own limit,
//! the caller's header, and one set on the request before.
//!
//! [`DeadlineLayer::until_first_token`] bounds the beginning of an answer instead: then one that has begun has an end of its own, later the longer it
//! may be.
//!
//! The header holds the time that is left: milliseconds (`30000`, `30000ms`) or seconds (`30s`, `1.5s`). It can only bring the
//! deadline forward.
//!
//! The body reads the clock whenever it has to wait, and at every sixteenth frame while frames are always ready: a slow
//! reader may be given up to fifteen frames that were there already.
//!
//! [`Deadline`] itself is ready when the wrapped service is, and its clock starts with the call. To wait for readiness under the deadline as
//! well, prepare each call with [`DeadlineLayer::ready`].
//!
//! # Errors
//!
//! [`LayerError::Elapsed`](crate::LayerError::Elapsed) with [`Phase::Deadline`](crate::Phase::Deadline), from the future or from the body;
//! [`LayerError::BadDeadline`](crate::LayerError::BadDeadline) if the header cannot be parsed.
//!
//! # Cancellation
//!
//! When the deadline passes, the future or the body inside is dropped at once: nothing stays open upstream.
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
//! use tower_llm_layers::{FailureKind, Phase, deadline::{DEADLINE_HEADER, DeadlineLayer}};
//!
//! let service = DeadlineLayer::new(Duration::from_secs(90)).layer(ExampleService::default());
//!
//! let mut request = ExampleRequest::of("silent");
//! request.headers_mut().insert(DEADLINE_HEADER, "30s".parse()?);
//! let error = service.oneshot(request).await.err().ok_or("it is silent")?;
//! assert_eq!(error.kind, FailureKind::Timeout(Phase::Deadline));
//! assert_eq!(error.message, "no answer within 30 s");
//! # Ok(())
//! # }
//! ```

mod body;
mod future;
mod header;
mod layer;
mod limits;
mod ready;
mod service;

pub use body::DeadlineBody;
pub use future::DeadlineFuture;
pub use layer::{DEADLINE_HEADER, DEFAULT_MAX_PAUSE, DeadlineLayer};
pub use service::Deadline;
