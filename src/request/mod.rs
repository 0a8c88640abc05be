//! A chat request, and the types of its fields.
//!
//! A [`ChatRequest`] is the JSON it is sent as. It can be written field by field, or read from a body that another program wrote, and both ways it keeps
//! what it does not know. It clones for the price of a counter.

mod api;
mod build;
mod cache;
mod cache_key;
mod chat;
mod check;
mod continuing;
mod direct;
mod document;
mod edit;
mod error;
mod facts;
mod fields;
mod for_layers;
mod message;
mod modality;
pub(crate) mod open_enum;
mod part;
mod plugin;
mod provider;
mod read;
mod reasoning;
mod response_format;
pub(crate) mod route;
pub(crate) mod scan;
mod service_tier;
#[cfg(test)]
mod tests;
mod tool;
mod tool_choice;
pub(crate) mod wire_struct;

pub use api::{ApiRequest, IntoApiRequest};
pub use cache::CacheControl;
pub use chat::ChatRequest;
pub(crate) use continuing::way_of;
pub use document::{Document, Segments};
pub use error::RequestError;
pub use facts::{IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, RequestFacts, SEARCH_TOKENS};
pub use fields::openrouter_only_fields;
pub(crate) use for_layers::post;
pub use message::{Content, Message, Role};
pub use modality::Modalities;
pub use part::{FilePart, ImageUrl, InputAudio, Part, VideoUrl};
pub use plugin::Plugin;
pub use provider::{Cutoff, DataCollection, MaxPrice, PercentileCutoffs, ProviderPreferences, Sort, SortKey};
pub use reasoning::{Effort, Reasoning};
pub use response_format::{JsonSchema, ResponseFormat};
pub use scan::{Found, JsonError};
pub use service_tier::{ServiceTier, Verbosity};
pub use tool::{FunctionCall, FunctionTool, Tool, ToolCall};
pub use tool_choice::ToolChoice;
pub use wire_struct::Extra;
