//! Sets the key, as the last layer: visible to no layer above, and chosen for each attempt.
//!
//! A key comes from a [`KeySource`]: one static key, a [`KeyPool`] that skips resting keys and probes them, or a
//! [`KeyProvider`] that fetches one. Each upstream may have its own ([`Keys::upstream`]). The `Authorization` header is marked
//! sensitive, and one that the caller sent is replaced: a client's key never reaches an upstream.
//!
//! # Errors
//!
//! [`LayerError::NoKey`](crate::LayerError::NoKey) if there is no key for the upstream, or none that may be used now.
//!
//! # Cancellation
//!
//! Dropping the future drops the provider's future, or the attempt. A key's state changes only by a response; a probe that is dropped leaves
//! the next attempt to be the probe.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{FailureKind, auth::{ApiKey, AuthLayer, KeyPool, KeyState, Keys}};
//!
//! let pool = KeyPool::new([ApiKey::new("sk-old")?, ApiKey::new("sk-new")?])?;
//! let keys = Keys::new().upstream("openai", ApiKey::new("sk-direct")?).default_source(pool.clone());
//! let service = AuthLayer::new(keys).layer(ExampleService::default());
//!
//! // The upstream rejects the first key: the error says that another one is left, and `RetryLayer` tries it at once.
//! let error = service.clone().oneshot(ExampleRequest::of("gpt-5")).await.err().ok_or("sk-old is rejected")?;
//! assert_eq!((error.kind, error.marks.has_other_key()), (FailureKind::Auth, true));
//! assert!(matches!(pool.states()[..], [KeyState::RejectedUntil(_), KeyState::Usable]));
//! assert!(service.oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod future;
mod key;
mod layer;
mod pool;
mod service;
mod slot;
mod source;

pub use key::{ApiKey, KeyError};
pub use layer::AuthLayer;
pub use pool::{KeyPool, KeyState};
pub use service::Auth;
pub use source::{KeyFuture, KeyProvider, KeySource, Keys};

/// The future of [`Auth`].
pub type AuthFuture<S, R> = crate::watch::AdmitFuture<S, R, future::Fetching>;
