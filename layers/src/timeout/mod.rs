//! The timeouts of one attempt.
//!
//! | timeout | starts | reset by | ends in |
//! | --- | --- | --- | --- |
//! | first token (streamed) | the attempt | nothing | the future |
//! | answer (plain) | the attempt | nothing | the future |
//! | idle | while waiting after the first token | any frame, signs of life too | the body |
//! | minimum throughput | while waiting after the first token | – | the body |
//!
//! Stands inside retry and outside [`first_token`](crate::first_token), so that its future resolves at the first token;
//! without that layer inside, it times the response's headers. The last candidate of a chain gets a grace period, because no
//! candidate is left after it. A request that asks for reasoning gets the time for it ([`LlmRequest::reasoning_time`](crate::LlmRequest::reasoning_time)),
//! and a candidate or a call may have timeouts of its own ([`TimeoutOverrides`](crate::TimeoutOverrides)). The time that a slow reader takes does not count.
//!
//! # Errors
//!
//! [`LayerError::Elapsed`](crate::LayerError::Elapsed) with the phase whose timeout elapsed.
//!
//! # Cancellation
//!
//! When a timeout elapses, the future or body inside is dropped at once, and with it the connection.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_llm_layers::{first_token::FirstTokenLayer, timeout::AttemptTimeoutLayer};
//!
//! let timeouts = AttemptTimeoutLayer::new(Duration::from_secs(10))
//!     .last_candidate_grace(Duration::from_secs(5))
//!     .idle_timeout(Some(Duration::from_secs(30)));
//! let service = ServiceBuilder::new()
//!     .layer(timeouts)
//!     .layer(FirstTokenLayer::new())
//!     .service(ExampleService::default());
//!
//! let error = service.oneshot(ExampleRequest::of("silent")).await.err().ok_or("it is silent")?;
//! assert_eq!(error.message, "no first token in 15 s");
//! # Ok(())
//! # }
//! ```

mod body;
mod future;
mod layer;
mod service;
mod timeouts;

pub use body::AttemptTimeoutBody;
pub use future::AttemptTimeoutFuture;
pub use layer::AttemptTimeoutLayer;
pub use service::AttemptTimeout;
pub use timeouts::{MinThroughput, Timeouts};
