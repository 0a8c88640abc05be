//! A chat request, and the types of its fields.
//!
//! A [`ChatRequest`] is the JSON it is sent as. It can be written field by field, or read from a body that another program wrote, and both ways it keeps
//! what it does not know. It clones for the price of a counter.

mod body;
mod build;
mod cache;
mod cache_key;
mod chat;
pub(crate) mod check;
mod continuing;
mod direct;
mod document;
mod edit;
mod error;
pub(crate) mod facts;
mod fields;
mod message;
mod modality;
pub(crate) mod open_enum;
mod part;
mod plugin;
mod provider;
mod read;
mod reasoning;
mod response_format;
mod route;
pub(crate) mod scan;
mod service_tier;
#[cfg(test)]
mod tests;
mod tool;
mod tool_choice;
mod typed;
pub(crate) mod wire_struct;

pub(crate) use body::{Gives, RequestBody, Shape};
pub(crate) use build::setters;
pub use cache::CacheControl;
pub(crate) use cache_key::{forbids_retention, is_irrelevant_header, write_document};
pub use chat::ChatRequest;
pub(crate) use continuing::{instruction, way_of};
pub use document::{Document, Segments};
pub(crate) use edit::encode;
pub use error::RequestError;
pub use facts::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, RequestFacts, SEARCH_TOKENS};
pub use fields::openrouter_only_fields;
pub use message::{Content, Message, Role};
pub use modality::Modalities;
pub use part::{FilePart, ImageUrl, InputAudio, Part, VideoUrl};
pub use plugin::Plugin;
pub use provider::{Cutoff, DataCollection, MaxPrice, PercentileCutoffs, ProviderPreferences, Sort, SortKey};
pub use reasoning::{Effort, Reasoning};
pub use response_format::{JsonSchema, ResponseFormat};
pub(crate) use route::pinned_by;
pub use scan::{Found, JsonError};
pub use service_tier::{ServiceTier, Verbosity};
pub use tool::{FunctionCall, FunctionTool, Tool, ToolCall};
pub use tool_choice::ToolChoice;
pub(crate) use typed::typed_request;
pub use wire_struct::Extra;
