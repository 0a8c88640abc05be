//! Requests and tokens per interval, and concurrent calls, for each key.
//!
//! A key is whatever the caller extracts: a tenant, an API key, a model, or nothing, for one limit over all ([`KeyExtractor`](crate::KeyExtractor)). The same
//! layer serves twice: outside fallback for a tenant's own limits, and inside retry for an upstream's ([`PerCandidate`]), so that
//! each attempt counts.
//!
//! Tokens are estimated before the call and trued up after it, over and under, at the end of a stream and when it is dropped: by what the
//! upstream reports, as far as it is plausible, and never by less of the answer than was seen. A failure gives them back. A request that is larger than the burst passes once the bucket is full, and what it takes beyond is
//! owed by those that follow.
//!
//! Requests are counted by governor (GCRA), on tokio's clock; tokens by the same rule, in a bucket that can take back and go into
//! debt, which governor's cannot. A bucket holds a tenth of the amount by default: a full bucket that refills would admit twice the amount
//! in the first interval. An attempt that is refused within, and so never sent, gives its request and its tokens back.
//!
//! All this is counted in this process, or in a [`LimitStore`] that several processes share ([`RateLimitLayer::store`]). What an upstream
//! says of its own limits is another layer's: see [`pause`](crate::pause).
//!
//! How far a key's limits are used now is read from a [`LimitReport`]. After a change of the limits, the units that a key has taken stay taken
//! ([`RateLimitLayer::taking_over`]).
//!
//! # Errors
//!
//! [`LayerError::RateLimited`](crate::LayerError::RateLimited) if the call would have to wait longer than it may, with the
//! earliest time at which it could pass; for calls at once, and for tokens that calls in flight hold and may not use, that is at most a second: a
//! call in flight may end at any time. [`LayerError::LimitsDown`](crate::LayerError::LimitsDown) if a shared store does not answer,
//! and is set to refuse then.
//!
//! # Cancellation
//!
//! Dropping the future while it waits takes nothing. Dropped later, the future or the body releases its place.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{GlobalKey, rate_limit::{Limits, Rate, RateLimitLayer}};
//!
//! let limits = Limits::new().requests(Rate::new(60, Duration::from_secs(60))?.burst(1)?);
//! let service = RateLimitLayer::new(limits, GlobalKey)?.layer(ExampleService::default());
//!
//! assert!(service.clone().oneshot(ExampleRequest::of("gpt-5")).await.is_ok());
//! let refused = service.oneshot(ExampleRequest::of("gpt-5")).await.err().unwrap();
//! assert_eq!(refused.message, "over 60 requests in 60 s: retry in 1 s");
//! # Ok(())
//! # }
//! ```

mod bucket;
mod clock;
mod future;
mod key;
mod layer;
mod limiter;
mod limits;
mod requests;
mod service;
mod standing;
mod store;
mod tokens;
mod watch;

use std::time::Duration;

pub use key::PerCandidate;
pub use layer::{DEFAULT_MAX_KEYS, RateLimitLayer};
pub use limits::{Limits, LimitsError, Rate};
pub use service::RateLimit;
pub use standing::{ConcurrencyStanding, LimitReport, LimitStanding, LimitUse, RateStanding};
pub use store::{Admitting, LimitStore, LimitWait, RateLimitPermit, WaitReason};

/// When a call may try again for what calls in flight hold: one may end at any time.
const SOON: Duration = Duration::from_secs(1);

/// The future of [`RateLimit`].
pub type RateLimitFuture<S, R> = crate::watch::AdmitFuture<S, R, future::RateLimitWait>;

/// The body of [`RateLimit`]: corrects the tokens at its end, however it ends.
pub type RateLimitBody<B> = crate::watch::WatchBody<B, watch::TokensWatch>;
