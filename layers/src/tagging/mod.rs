//! Sets the tags of a call from its request: the tenant by a header, the user by what authentication left.
//!
//! Stands outermost. Tags that a call already has take precedence over those set here.
//!
//! # Errors
//!
//! [`LayerError::MissingTag`](crate::LayerError::MissingTag) if a [required](TaggingLayer::require) tag is missing.
//!
//! # Cancellation
//!
//! There is nothing to end: it acts before the call.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{Tags, tagging::TaggingLayer};
//!
//! let service = TaggingLayer::new(|request: &http::Request<ExampleRequest>| {
//!     let tenant = request.headers().get("x-tenant")?.to_str().ok()?;
//!     Tags::new([("tenant", tenant)]).ok()
//! })
//! .layer(ExampleService::default());
//! assert!(service.oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod layer;
mod service;

pub use layer::{TagExtractor, TaggingLayer};
pub use service::Tagging;

/// The future of [`Tagging`].
pub type TaggingFuture<F, E> = crate::watch::WatchFuture<F, E, crate::watch::Pass>;
