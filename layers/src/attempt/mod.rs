//! One attempt: numbered, capped, written down.
//!
//! Stands outside the attempt's clocks and inside retry and fallback, so that whatever makes a call try again passes here.
//! It opens a line in the [`AttemptLog`](crate::AttemptLog) before the attempt starts and closes it however the attempt
//! ends: whole, failed, broken mid-stream, or dropped at any await.
//!
//! # Errors
//!
//! [`LayerError::AttemptsSpent`](crate::LayerError::AttemptsSpent) where the call's cap is spent.
//!
//! # Cancellation
//!
//! Dropping the future or the body closes the line as [`Outcome::Dropped`](crate::Outcome::Dropped).
//!
//! # Example
//!
//! ```
//! use tower_layer::Layer;
//! use tower_llm_layers::attempt::AttemptLayer;
//!
//! # fn wrap<S>(theirs: S) {
//! let service = AttemptLayer::new().cap(6).layer(theirs);
//! assert_eq!(service.cap(), 6);
//! # }
//! # wrap(());
//! ```

mod body;
mod future;
mod layer;
mod service;

pub use body::AttemptBody;
pub use future::AttemptFuture;
pub use layer::{AttemptLayer, DEFAULT_CAP};
pub use service::AttemptService;
