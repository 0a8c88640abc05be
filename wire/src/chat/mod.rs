//! Chat completions: the types of a request's fields, answers whole and in pieces, and what a layer must know of them.

mod answer;
mod cache;
mod check;
mod chunk;
mod content;
mod edit;
pub mod facts;
mod message;
mod part;
mod plugin;
mod probe;
mod provider;
mod reasoning;
mod response_format;
mod service_tier;
#[cfg(test)]
mod tests;
mod tool;
mod tool_choice;

pub use answer::{ChatChunk, ChatResponse, Choice, ChunkChoice};
pub use cache::CacheControl;
pub use check::check;
pub use chunk::{UnshownPart, as_chunk, unshown_chunk};
pub use content::{Annotation, AnswerMessage, FunctionDelta, ReasoningDetail, ToolCallDelta, UrlCitation};
pub use edit::{with_other_text, without_usage};
pub use message::{Content, Message, Role};
pub use part::{FilePart, ImageUrl, InputAudio, Part, VideoUrl};
pub use plugin::Plugin;
pub(crate) use probe::is_sealed;
pub use probe::{ChunkProbe, is_reasoning};
pub use provider::{Cutoff, DataCollection, MaxPrice, PercentileCutoffs, ProviderPreferences, Sort, SortKey};
pub use reasoning::{Effort, Reasoning};
pub use response_format::{JsonSchema, ResponseFormat};
pub use service_tier::{ServiceTier, Verbosity};
pub use tool::{FunctionCall, FunctionTool, Tool, ToolCall};
pub use tool_choice::ToolChoice;
