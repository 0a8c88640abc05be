//! The degradation: when all below has failed, something honest, and marked as such.
//!
//! Each rung is optional. A *cheaper model* stands at the end of the fallback chain, which asks it and marks its answers. A *stale
//! answer* is one that was kept, past its time; a *canned reply* is a text of your own, or computed. Both come from a [`Degradation`]. What
//! failed decides which rung may stand in: a refused or a bad request never degrades (see
//! [`FailureKind::advice`](crate::FailureKind::advice)), and [`DegradeLayer::table`] changes that.
//!
//! A degraded answer carries [`Degraded`](crate::Degraded) in its extensions: which rung, why, how old, and what was asked for. It stands outermost, so
//! that it can answer also when the deadline has passed.
//!
//! # Errors
//!
//! The failure below, where no rung stands in. A stream that breaks later is not degraded: a part of it was shown.
//!
//! # Cancellation
//!
//! Dropping the future drops the call below.
//!
//! # Example
//!
//! ```
//! # mod theirs { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/theirs.rs")); }
//! # use theirs::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http::Request;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{FailureKind, Degraded, DegradedSource, degrade::{DegradeLayer, Degradation}};
//!
//! #[derive(Clone)]
//! struct Sorry;
//!
//! impl Degradation<Ask, Piece> for Sorry {
//!     fn canned(&self, _: &Request<Ask>, _: FailureKind) -> Option<Vec<Piece>> {
//!         Some(vec![Piece("Please try again in a minute.".into())])
//!     }
//! }
//!
//! let service = DegradeLayer::new(Sorry).layer(Theirs::default());
//! let response = service.oneshot(Ask::of("busy")).await.map_err(|error| error.message)?;
//! let mark = response.extensions().get::<Degraded>().ok_or("it is marked")?;
//! assert_eq!((mark.source, mark.reason), (DegradedSource::CannedReply, Some(FailureKind::Overloaded)));
//! # Ok(())
//! # }
//! ```

mod body;
mod degradation;
mod future;
mod layer;
mod service;

pub use body::DegradeBody;
pub use degradation::{Degradation, NoLadder};
pub use future::DegradeFuture;
pub use layer::DegradeLayer;
pub use service::Degrade;
