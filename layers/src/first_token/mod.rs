//! Holds frames back until the answer begins.
//!
//! The service's future resolves `Ok` only when the model has begun to answer: a frame with something to show, or
//! a valid end. Signs of life and role-only chunks are no beginning. Everything before that is one typed `Err`. So a plain
//! timeout around it is a time-to-first-token timeout, and retry and fallback act only while nothing has been shown.
//! Held frames come first in the returned body, in their order; signs of life before the beginning are dropped.
//!
//! [`MAX_HELD_BYTES`] of frames are held at most. If more come before the beginning, the service resolves `Ok` with them: they may be those of a good
//! answer, which is never refused for its form. Such a call is no longer retried, and an end without anything to show is an error of the body.
//!
//! An answer may also fail by the reason with which it ends ([`FirstTokenLayer::fail_on_finish_reason`]). It is read to its end first, so that what
//! stands below learns what it cost. If nothing was shown before the reason came, as of a plain response, the call fails, and may be retried or
//! answered by another candidate. A stream of which something was shown ends with the failure.
//!
//! # Errors
//!
//! [`LayerError::FinishReason`](crate::LayerError::FinishReason) if the answer ended for a reason that counts as a failure,
//! [`LayerError::EmptyResponse`](crate::LayerError::EmptyResponse) if the answer ends before it begins, and the body's own error if it fails first.
//!
//! # Cancellation
//!
//! Dropping the future drops the body it waits on.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{FailureKind, first_token::FirstTokenLayer};
//!
//! let service = FirstTokenLayer::new().layer(ExampleService::default());
//!
//! // Two blank frames and an end are no answer, whatever the status said.
//! let error = service.clone().oneshot(ExampleRequest::of("blank")).await.err().ok_or("it is blank")?;
//! assert_eq!(error.kind, FailureKind::EmptyResponse);
//! assert!(service.oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! It stands inside [`timeout`](crate::timeout). In the opposite order, the timeout would time the response's headers; that does
//! not compile, because the timed body is not `Unpin`:
//!
//! ```compile_fail,E0277
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use {example::*, std::time::Duration, tower::{ServiceBuilder, ServiceExt}};
//! # use tower_llm_layers::{first_token::FirstTokenLayer, timeout::AttemptTimeoutLayer};
//! # async fn wrong() {
//! let service = ServiceBuilder::new()
//!     .layer(FirstTokenLayer::new())
//!     .layer(AttemptTimeoutLayer::new(Duration::from_secs(10)))
//!     .service(ExampleService::default());
//! service.oneshot(ExampleRequest::of("gpt-5")).await;
//! # }
//! ```

mod body;
mod failing;
mod future;
mod layer;
mod service;

pub use body::FirstTokenBody;
pub use future::{FirstTokenFuture, MAX_HELD_BYTES};
pub use layer::FirstTokenLayer;
pub use service::FirstToken;
