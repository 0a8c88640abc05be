//! Answers that were given before, and calls that are the same while they are under way.
//!
//! A request is found by a hash of all that its answer depends on ([`CacheKey`](crate::CacheKey)), within its tenant: no tenant is answered
//! with what another one asked, unless all share one key ([`GlobalKey`](crate::GlobalKey)). The request's headers are part of the key, except
//! those that [change no answer](crate::changes_no_answer) or are [ignored](CacheLayer::ignore_header). An answer is kept when its body has ended
//! without an error, after a frame that [finishes it](crate::Frame::finishes_answer), with a status of 2xx; never one that failed,
//! broke off, was dropped, is larger than [`Cache::largest`], or is marked with [`NoStore`](crate::NoStore). It is replayed
//! frame for frame, without a copy; its usage is nothing ([`Frame::replayed`](crate::Frame::replayed)), signs of life are left out,
//! and so are cookies and the extensions of the first response. A streamed answer is replayed as a stream; whether it also
//! serves a plain request is for [`CacheKey`](crate::CacheKey) to say.
//!
//! Where [`Cache::stale_if_error`] is set, answers outlive their time for [`Cache::stale`]: something honest for when no
//! better answer can be had.
//!
//! # Single flight
//!
//! Calls that are the same while one is under way share it. Whoever comes late gets the frames so far, and then those that
//! come. Nobody owns the call: whichever of its readers is polled, polls it. So it goes on while one reader is there, the
//! first included or not, and no reader waits for a slow one. When the last one leaves, the call is dropped at once, and its
//! connection closes.
//!
//! Whoever asked first pays, under its own tags and within its own deadline. The responses of the others carry [`Coalesced`], so
//! that nobody counts the usage in their frames again.
//!
//! Nobody who looks on waits as a batch does: an [`Interactive`](crate::Priority::Interactive) call joins one of
//! [`Batch`](crate::Priority::Batch) only after its answer has begun. Before that it makes its own, for others to join.
//!
//! A call that outgrows [`Cache::largest`] is not kept, and nobody can join it any more. Its readers go on; a reader that is
//! further behind than that many bytes falls off with [`LayerError::Lagged`](crate::LayerError::Lagged).
//!
//! A request that is not to be kept is not shared either.
//!
//! # Place
//!
//! Outside of everything that asks, waits and pays: a hit passes no limit and takes no attempt. Inside of the caller's own
//! deadline, which so stays the caller's own. The layers inside see the deadline of whoever asked first.
//!
//! Readiness is the wrapped service's, also for a hit.
//!
//! # Errors
//!
//! [`LayerError::CacheMiss`](crate::LayerError::CacheMiss) where the request is [`CacheMode::OnlyIfCached`] and nothing is kept. Where
//! a shared call fails, whoever made it gets the error itself. The others get the like of it
//! ([`Failure::for_another`](crate::Failure::for_another)), unless it says nothing to them: it is
//! [personal](crate::Failure::is_personal), or whoever made the call had no more time. Then one of them makes the call anew, and
//! the rest share that one. Each makes at most one call, and never two at once. After the answer has begun nobody asks anew: a
//! personal failure is then, to the others, a stream that broke off.
//!
//! An answer that is as it is for its caller's own reasons is nobody else's: one that carries [`NoStore`](crate::NoStore) and is not
//! [`Degraded`](crate::Degraded), or that a budget or the balance shortened. The others make the call again. A call with a cap of its own on
//! attempts shares with nobody.
//!
//! # Cancellation
//!
//! Any reader may be dropped at any time. The call goes on if others read it; otherwise it ends at once, and nothing is
//! kept.
//!
//! # Example
//!
//! ```
//! # mod theirs { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/theirs.rs")); }
//! # use theirs::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//! use http::Request;
//! use http_body_util::BodyExt;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{CacheKey, KeyWriter, cache::{Cache, CacheLayer, CacheStatus}};
//!
//! impl CacheKey for Ask {
//!     fn write_key(&self, key: &mut KeyWriter<'_>) {
//!         key.part(self.model.as_bytes());
//!     }
//! }
//!
//! let tenant = |request: &Request<Ask>| -> Option<Arc<str>> {
//!     request.headers().get("x-tenant")?.to_str().ok().map(Arc::from)
//! };
//! let cache = Cache::new(64 << 20).time_to_live(Duration::from_secs(600));
//! let theirs = Theirs::default();
//! let service = CacheLayer::new(cache, tenant).layer(theirs.clone());
//!
//! let ask = |tenant: &'static str| {
//!     let mut request = Ask::of("gpt-5");
//!     request.headers_mut().insert("x-tenant", http::HeaderValue::from_static(tenant));
//!     service.clone().oneshot(request)
//! };
//! for (tenant, hit) in [("acme", false), ("acme", true), ("other", false)] {
//!     let response = ask(tenant).await.map_err(|error| error.message)?;
//!     let status = response.extensions().get::<CacheStatus>().ok_or("no tenant")?;
//!     assert_eq!(status.hit, hit);
//!     // Kept once it is read to its end.
//!     response.into_body().collect().await.map_err(|error| error.message)?;
//! }
//! assert_eq!(theirs.asked().len(), 2);
//! # Ok(())
//! # }
//! ```

mod body;
mod entry;
mod flight;
mod forgotten;
mod future;
mod key;
mod layer;
mod mode;
mod room;
mod service;
mod status;
mod store;

pub use body::{CacheBody, ReplayBody};
pub use future::CacheFuture;
pub use key::AnswerKey;
pub use layer::CacheLayer;
pub use mode::CacheMode;
pub use service::CacheService;
pub use status::CacheStatus;

pub use crate::Coalesced;
pub use store::{Cache, KeptAnswer};
