//! The clocks of one attempt.
//!
//! | clock | starts | reset by | ends in |
//! | --- | --- | --- | --- |
//! | first token (streamed) | the attempt | nothing | the future |
//! | answer (plain) | the attempt | nothing | the future |
//! | idle | while waiting after the first token | any frame, signs of life too | the body |
//! | pace floor | while waiting after the first token | – | the body |
//!
//! Stands inside retry and outside [`first_token`](crate::first_token), so that its future resolves at the first token;
//! without that layer inside, it times the response's headers. The last candidate of a chain gets a grace: cutting it off
//! leaves nobody. The time a slow reader takes counts against nobody.
//!
//! # Errors
//!
//! [`LayerError::Elapsed`](crate::LayerError::Elapsed) with the phase that ran out.
//!
//! # Cancellation
//!
//! When a clock runs out, the future or body inside is dropped at once, and with it the connection.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower_layer::Layer;
//! use tower_llm_layers::timeout::AttemptTimeoutLayer;
//!
//! # fn wrap<S>(theirs: S) {
//! let service = AttemptTimeoutLayer::new(Duration::from_secs(10)).idle(Some(Duration::from_secs(30))).layer(theirs);
//! assert_eq!(service.clocks().first_token, Some(Duration::from_secs(10)));
//! # }
//! # wrap(());
//! ```

mod body;
mod clocks;
mod future;
mod layer;
mod service;

pub use body::AttemptTimeoutBody;
pub use clocks::{Clocks, PaceFloor};
pub use future::AttemptTimeoutFuture;
pub use layer::AttemptTimeoutLayer;
pub use service::AttemptTimeout;
