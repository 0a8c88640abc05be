//! Idempotency keys: calls with the same key are made once, and all get the same answer.
//!
//! A client that does not know whether its call arrived sends it again with the same [key](IdempotencyKey), from the header `Idempotency-Key` or
//! an extension of the request. The first call is made; later ones with the same key and the same request get its answer again,
//! for a day by default: a stream as a stream, each frame byte for byte, apart from signs of life. They cost nothing, take no attempt and pass no
//! limit, and carry [`Replayed`](crate::Replayed): the usage in their frames is that of the first call. Two requests are the same if the
//! [`cache`](super) would find the same response for both: white space and the order of members do not matter.
//!
//! | a call with a key that is known | gets |
//! | --- | --- |
//! | the same request, answered | the first answer |
//! | the same request, in flight | the first answer as it comes; or [`LayerError::IdempotencyInFlight`](crate::LayerError::IdempotencyInFlight), if that is [set](IdempotencyLayer::in_flight) |
//! | another request | [`LayerError::IdempotencyMismatch`](crate::LayerError::IdempotencyMismatch) |
//! | the same request, whose answer was too large to keep | [`LayerError::IdempotencyTooLarge`](crate::LayerError::IdempotencyTooLarge): it is not made again |
//!
//! A key is its tenant's own: two tenants with one key share nothing. A call without a tenant or without a key passes unchanged. A failed or
//! interrupted call is not remembered: the next one with its key is made. What ended in full is, a short answer at its limit of tokens included.
//!
//! The answers are kept in an [`IdempotencyStore`]: [in memory](InMemoryIdempotency), bounded in keys and bytes, or on a server that several
//! processes share. There a call in flight has a lease, so that a process that is killed holds up its key for no longer than that.
//!
//! # Place
//!
//! Directly outside the cache. A call with a key is made even if its request says [`CacheMode::Refresh`](crate::CacheMode::Refresh); one that must
//! not be stored ([`CacheMode::Bypass`](crate::CacheMode::Bypass)) is refused, since it could not be answered again.
//!
//! # Errors
//!
//! Those of the table. [`LayerError::BadIdempotencyKey`](crate::LayerError::BadIdempotencyKey) for a key that cannot be one.
//! [`LayerError::IdempotencyStoreDown`](crate::LayerError::IdempotencyStoreDown) if the store fails, since the call might be made twice. If the
//! first call fails, those that wait get an equivalent failure, unless it was the first caller's own (its deadline, its limits): then one of them
//! makes the call.
//!
//! # Cancellation
//!
//! No caller owns the call. When the first caller leaves and others in this process wait for the same answer, the call continues for them. When the
//! last one leaves, the call is dropped, its connection closes, and its key is free: the next call with that key is made. A caller that leaves
//! behind the [last frame](crate::Frame::is_last) has the whole answer, and its key is remembered. Callers that wait in
//! other processes do not keep it alive: one of them takes over as soon as the key is free.
//!
//! # Example
//!
//! ```
//! # mod example { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs")); }
//! # use example::*;
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use http_body_util::BodyExt;
//! use tower::{Layer, ServiceExt};
//! use tower_llm_layers::{
//!     CacheKey, GlobalKey, KeyWriter, Replayed,
//!     cache::idempotency::{IdempotencyKey, IdempotencyLayer, InMemoryIdempotency},
//! };
//!
//! impl CacheKey for ExampleRequest {
//!     fn write_key(&self, key: &mut KeyWriter<'_>) {
//!         key.part(self.model.as_bytes());
//!     }
//! }
//!
//! let inner = ExampleService::default();
//! let layer = IdempotencyLayer::new(InMemoryIdempotency::new(64 << 20), GlobalKey);
//! let service = layer.layer(inner.clone());
//! for replayed in [false, true] {
//!     let mut request = ExampleRequest::of("gpt-5");
//!     request.extensions_mut().insert(IdempotencyKey::new("order-17")?);
//!     let response = service.clone().oneshot(request).await.map_err(|error| error.message)?;
//!     assert_eq!(response.extensions().get::<Replayed>().is_some(), replayed);
//!     response.into_body().collect().await.map_err(|error| error.message)?;
//! }
//! assert_eq!(inner.asked().len(), 1);
//! # Ok(())
//! # }
//! ```

mod future;
mod key;
mod layer;
mod memory;
mod once;
mod replay;
mod service;
mod store;

pub use crate::protocol::BadIdempotencyKey;
pub use future::IdempotencyFuture;
pub use key::{IDEMPOTENCY_KEY_HEADER, IdempotencyKey};
pub use layer::{IdempotencyLayer, InFlight};
pub use memory::InMemoryIdempotency;
pub use service::Idempotency;
pub use store::{Claim, Claiming, IdempotencyClaim, IdempotencyStore, Keeping};
