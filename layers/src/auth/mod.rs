//! The key, last of all: seen by nobody above, and fresh for each attempt.
//!
//! A key comes from a [`KeySource`]: one static key, a [`KeyPool`] that leaves out dead and resting keys, or a
//! [`KeyProvider`] that fetches one. Each upstream may have its own ([`Keys::upstream`]). The `Authorization` header is marked
//! sensitive, and one that the caller sent is replaced: a client's key never reaches an upstream.
//!
//! # Errors
//!
//! [`LayerError::NoKey`](crate::LayerError::NoKey) where there is no key for the upstream, or none that may be used now.
//!
//! # Cancellation
//!
//! Dropping the future drops the provider's future, or the attempt. A key's state changes only by a whole answer.
//!
//! # Example
//!
//! ```
//! use tower_layer::Layer;
//! use tower_llm_layers::auth::{ApiKey, AuthLayer, KeyPool, Keys};
//!
//! # fn wrap<S>(theirs: S) -> Result<(), Box<dyn std::error::Error>> {
//! let pool = KeyPool::new([ApiKey::new("sk-or-v1-first")?, ApiKey::new("sk-or-v1-second")?])?;
//! let keys = Keys::new().upstream("openrouter", pool).upstream("openai", ApiKey::new("sk-direct")?);
//! let service = AuthLayer::new(keys).layer(theirs);
//! assert!(!format!("{service:?}").contains("sk-"));
//! # Ok(())
//! # }
//! # wrap(()).unwrap();
//! ```

mod future;
mod key;
mod layer;
mod pool;
mod service;
mod source;

pub use future::AuthFuture;
pub use key::{ApiKey, KeyError};
pub use layer::AuthLayer;
pub use pool::{KeyPool, KeyState};
pub use service::Auth;
pub use source::{KeyFuture, KeyProvider, KeySource, Keys};
