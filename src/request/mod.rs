//! A chat request, and the types of its fields.
//!
//! A [`ChatRequest`] is the JSON it is sent as. It can be written field by field, or read from a body that another program wrote, and both ways it keeps
//! what it does not know. It clones for the price of a counter.

mod body;
mod build;
mod cache_key;
mod chat;
mod continuing;
mod direct;
mod edit;
mod limit;
mod money;
mod needs;
mod read;
mod route;
#[cfg(test)]
mod tests;
mod typed;

pub(crate) use body::{Gives, RequestBody, Shape};
pub(crate) use build::setters;
pub(crate) use cache_key::{forbids_retention, is_irrelevant_header, write_document};
pub use chat::ChatRequest;
pub(crate) use continuing::{instruction, way_of};
pub(crate) use edit::encode;
pub use openrouter_wire::{
    Extra, Modalities,
    chat::{
        CacheControl, Content, Cutoff, DataCollection, Effort, FilePart, FunctionCall, FunctionTool, ImageUrl,
        InputAudio, JsonSchema, MaxPrice, Message, Part, PercentileCutoffs, Plugin, ProviderPreferences, Reasoning,
        ResponseFormat, Role, ServiceTier, Sort, SortKey, Tool, ToolCall, ToolChoice, Verbosity, VideoUrl,
    },
    document::{Document, Segments, openrouter_only_fields},
    json::{Found, JsonError},
    request::{
        IMAGE_TOKENS, INLINE_MEDIA_TOKENS, LINKED_MEDIA_TOKENS, RequestError, RequestFacts, SEARCH_TOKENS,
        ServerToolLoop,
    },
};
pub(crate) use route::pinned_by;
pub(crate) use typed::typed_request;
