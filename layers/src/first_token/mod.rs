//! Holds frames back until the answer begins.
//!
//! The service's future resolves `Ok` only when the model has really begun to answer: a frame with something to show, or
//! an honest end. Signs of life and role-only chunks are no beginning. Everything before that is one typed `Err`. So a plain
//! timeout around it is a time-to-first-token timeout, and retry and fallback act only while nothing has been shown.
//! Held frames come first in the returned body, in their order; signs of life before the beginning are dropped.
//!
//! # Errors
//!
//! [`LayerError::Empty`](crate::LayerError::Empty) where the answer ends before it begins,
//! [`LayerError::NeverBegan`](crate::LayerError::NeverBegan) where [`MOST_HELD`] frames had nothing to show, and the body's
//! own error where it fails first.
//!
//! # Cancellation
//!
//! Dropping the future drops the body it waits on.
//!
//! # Example
//!
//! ```
//! use tower_layer::Layer;
//! use tower_llm_layers::first_token::FirstTokenLayer;
//!
//! # fn wrap<S>(theirs: S) {
//! let service = FirstTokenLayer::new().layer(theirs);
//! # }
//! # wrap(());
//! ```

mod body;
mod future;
mod layer;
mod service;

pub use body::FirstTokenBody;
pub use future::{FirstTokenFuture, MOST_HELD};
pub use layer::FirstTokenLayer;
pub use service::FirstToken;
