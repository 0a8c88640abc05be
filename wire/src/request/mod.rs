//! What the requests of all APIs have alike: what is checked of them, what they ask of a model, and why one is not accepted.

mod alternatives;
pub mod check;
mod error;
pub(crate) mod facts;

pub use alternatives::alternatives;
pub use error::RequestError;
pub use facts::{
    IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, RequestFacts, SEARCH_TOKENS, ServerToolLoop,
    reasoning_level, reasoning_time, unbounded_tool,
};
