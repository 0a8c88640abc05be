//! What a request, a frame and an error must offer, and what a layer adds to them.

mod block;
mod cache_key;
mod cache_mode;
mod capability;
mod failure;
mod frame;
#[cfg(feature = "cache")]
mod idempotency_key;
mod key_extractor;
mod layer_error;
mod layer_error_text;
mod nonconformity;
mod request;
mod requested;

pub use block::{Block, BlockEdge, BlockKind, Splice};
pub use cache_key::{CacheKey, KeyWriter, is_irrelevant_header};
pub use capability::{Apis, Capability};
pub use failure::{Failure, FailureMarks};
pub(crate) use failure::{in_pool_of, publish};
#[cfg(feature = "cache")]
pub use frame::StorableFrame;
pub(crate) use frame::is_end;
pub use frame::{Frame, Shown, Stage};
#[cfg(feature = "cache")]
pub use idempotency_key::BadIdempotencyKey;
pub use key_extractor::{GlobalKey, KeyExtractor};
pub use layer_error::LayerError;
pub use nonconformity::{AnswerText, Nonconformity};
pub use request::{Budgeted, Continuable, DEFAULT_MIN_OUTPUT_TOKENS, LlmRequest, ProviderRouting};
pub(crate) use request::{candidate_of, route_of, with_candidate};
pub(crate) use requested::requested;
