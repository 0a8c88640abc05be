//! Caches responses, and coalesces identical concurrent requests into one upstream call.
//!
//! A request is found by a hash of all that its response depends on ([`CacheKey`](crate::CacheKey)), within its tenant. No tenant gets a
//! response that another tenant requested, unless all share one key ([`GlobalKey`](crate::GlobalKey)). The request's headers are part of the
//! key, except those that [change no answer](crate::is_irrelevant_header) or are [ignored](CacheLayer::ignore_header). A response is cached when
//! its body has ended without an error, after a frame that [finishes it](crate::Frame::finishes_answer), with a status of 2xx; or before that, with
//! the frame that [nothing follows](crate::Frame::is_last), so that a caller may leave behind it. It is not
//! cached if it failed, was interrupted, was dropped, ended at its limit of tokens or in a filter, is larger than [`Cache::largest`], or is marked with [`NoStore`](crate::NoStore). It is
//! replayed frame for frame, without a copy. Its usage is zero ([`Frame::replayed`](crate::Frame::replayed)); signs of life, cookies and the
//! extensions of the first response are left out. A streamed response is replayed as a stream; [`CacheKey`](crate::CacheKey) decides whether
//! it also serves a plain request.
//!
//! Responses are kept in memory, or in a [`CacheStore`] of your own: another eviction, or a store that several processes share. A store that
//! fails fails no call.
//!
//! With [`Cache::stale_if_error`] set, stale responses stay available to [`Cache::stale`], for use when every candidate has failed.
//!
//! # Single flight
//!
//! Identical requests share one upstream call while it is in flight. A request that joins late gets the frames so far, and then each frame as
//! it comes. No reader owns the call: each reader that is polled polls it. So the call continues while it has at least one reader, the first
//! included or not, and no reader waits for a slow one. When the last reader is dropped, the call is dropped at once, and its connection closes.
//!
//! The first request pays, under its own tags and within its own deadline. The responses of the others carry [`Coalesced`](crate::Coalesced), so that the usage
//! in their frames is not counted twice.
//!
//! An interactive caller never waits like a batch: an [`Interactive`](crate::Priority::Interactive) call joins one of
//! [`Batch`](crate::Priority::Batch) only after its response has begun. Before that it makes its own call, which others may join.
//!
//! A call whose response outgrows [`Cache::largest`] is not cached, and accepts no more readers. Its readers continue; a reader that is
//! further behind than that many bytes gets [`LayerError::Lagged`](crate::LayerError::Lagged).
//!
//! A request that must not be cached is not coalesced either.
//!
//! # Idempotency keys
//!
//! A client that repeats a call can give it a key, so that it is made once: see [`idempotency`].
//!
//! # Place
//!
//! Outside every layer that calls, waits and pays: a hit passes no limit and takes no attempt. Inside the caller's own deadline, which stays
//! the caller's own. The layers inside see the deadline of the first request.
//!
//! Readiness is the wrapped service's, also for a hit.
//!
//! # Errors
//!
//! [`LayerError::CacheMiss`](crate::LayerError::CacheMiss) if the request is [`CacheMode::OnlyIfCached`](crate::CacheMode::OnlyIfCached) and no response is cached. If a
//! coalesced call fails, the first caller gets the error itself. The others get an equivalent error
//! ([`Failure::for_coalesced`](crate::Failure::for_coalesced)), unless the failure says nothing about them: it is
//! [personal](crate::Failure::is_personal), or the first caller's deadline had passed. Then one of them makes the call again, and the rest
//! share that one. Each makes at most one call, and never two at once. After the response has begun no call is made again: the other
//! callers see a personal failure as an interrupted stream.
//!
//! A response that was changed for its caller's own reasons is not shared: it carries [`NoStore`](crate::NoStore) and is not
//! [`Degraded`](crate::Degraded), or a budget or the balance shortened it. The others call again. A call with its own attempt cap is never
//! coalesced.
//!
//! # Cancellation
//!
//! Any reader may be dropped at any time. The call continues if others read it; otherwise it ends at once, and nothing is cached unless its last
//! frame has come.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{sync::Arc, time::Duration};
//! use http::Request;
//! use http_body_util::BodyExt;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{CacheKey, KeyWriter, cache::{Cache, CacheLayer, CacheStatus}};
//!
//! impl CacheKey for ExampleRequest {
//!     fn write_key(&self, key: &mut KeyWriter<'_>) {
//!         key.part(self.model.as_bytes());
//!     }
//! }
//!
//! let tenant = |request: &Request<ExampleRequest>| -> Option<Arc<str>> {
//!     request.headers().get("x-tenant")?.to_str().ok().map(Arc::from)
//! };
//! let cache = Cache::new(64 << 20).time_to_live(Duration::from_secs(600));
//! let inner = ExampleService::default();
//! let service = CacheLayer::new(cache, tenant).layer(inner.clone());
//!
//! let ask = |tenant: &'static str| {
//!     let mut request = ExampleRequest::of("gpt-5");
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
//! assert_eq!(inner.asked().len(), 2);
//! # Ok(())
//! # }
//! ```

mod body;
mod cache_store;
mod cached_answer;
mod entry;
mod external_store;
mod flight;
mod forgotten;
mod future;
pub mod idempotency;
mod key;
mod latest;
mod layer;
mod lru_store;
mod response;
mod service;
mod status;
mod store;

pub use body::{CacheBody, ReplayBody};
pub use cache_store::{CacheStore, Lookup, LookupFuture, StoreError};
pub use cached_answer::CachedAnswer;
pub use future::CacheFuture;
pub use key::{AnswerKey, KeySecret};
pub use layer::CacheLayer;
pub use response::CachedResponse;
pub use service::CacheService;
pub use status::CacheStatus;
pub use store::Cache;
