//! Graceful degradation: if every candidate has failed, a marked degraded response instead of the failure.
//!
//! Each degraded source is optional. A *cheaper model* is the end of the fallback chain, which calls it and marks its answers. A *stale
//! response* comes from the cache. A *canned reply* is a text of your own, fixed or computed. The last two come from a [`Degradation`]. The
//! kind of the failure decides which source may be used: a refused or a bad request is never degraded (see
//! [`FailureKind::advice`](crate::FailureKind::advice)). [`DegradeLayer::table`] changes that.
//!
//! A degraded answer carries [`Degraded`](crate::Degraded) in its extensions: the source, the reason, the age, and the requested model. The
//! layer is outermost, so that it can answer also when the deadline has passed.
//!
//! # Errors
//!
//! The failure below, if no degraded response is available. A stream that fails later is not degraded, because a part of it was shown.
//!
//! # Cancellation
//!
//! Dropping the future drops the call below.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::Request;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{FailureKind, Degraded, DegradedSource, degrade::{DegradeLayer, Degradation}};
//!
//! #[derive(Clone)]
//! struct Sorry;
//!
//! impl Degradation<ExampleRequest, ExampleFrame> for Sorry {
//!     fn canned(&self, _: &Request<ExampleRequest>, _: FailureKind) -> Option<Vec<ExampleFrame>> {
//!         Some(vec![ExampleFrame("Please try again in a minute.".into())])
//!     }
//! }
//!
//! let service = DegradeLayer::new(Sorry).layer(ExampleService::default());
//! let response = service.oneshot(ExampleRequest::of("busy")).await.map_err(|error| error.message)?;
//! let mark = response.extensions().get::<Degraded>().ok_or("it is marked")?;
//! assert_eq!((mark.source, mark.reason), (DegradedSource::CannedReply, Some(FailureKind::Overloaded)));
//! # Ok(())
//! # }
//! ```

mod degradation;
mod future;
mod layer;
mod service;

pub use degradation::{Degradation, NoDegradation, StaleLater};
pub use future::DegradeFuture;
pub use layer::DegradeLayer;
pub use service::Degrade;

/// The body of [`Degrade`]: the answer from below, or a degraded one.
pub type DegradeBody<B> = crate::watch::HeldBody<B>;
