//! What is answered: answers whole and in pieces, what they cost, what went wrong, and what the catalogue says.
//!
//! Everything here reads whatever comes: new fields and names appear on the wire without notice, and a field of the wrong type is no reason to
//! lose an answer.

mod account;
mod catalogue;
mod chat;
mod content;
mod counts;
mod decimal;
mod finish;
mod price;
mod probe;
#[cfg(test)]
mod tests;
mod upstream;
mod usage;

pub use account::{Credits, DailyRequests, Generation, KeyInfo, ProviderResponse};
pub use catalogue::{
    AliasTarget, Architecture, Endpoint, Links, Model, ModelEndpoints, ModelReasoning, ModelsPage, PageLinks,
    Percentiles, TopProvider,
};
pub use chat::{ChatChunk, ChatResponse, Choice, ChunkChoice};
pub use content::{Annotation, AnswerMessage, FunctionDelta, ReasoningDetail, ToolCallDelta, UrlCitation};
pub(crate) use counts::token_usage;
pub use decimal::Decimal;
pub(crate) use finish::End;
pub use finish::FinishReason;
pub use price::{Price, PriceOverride, PriceOverrides, Pricing};
pub use probe::ChunkProbe;
pub(crate) use probe::{full, is_reasoning, tokens_of};
pub use tower_llm_layers::{UsdAmount, UsdError};
pub use upstream::{Availability, ErrorCode, PreviousError, RAW_LIMIT, UpstreamError, affordable_tokens};
pub(crate) use upstream::{means_failure, reads_like_failure};
pub(crate) use usage::read_usage;
pub use usage::{CompletionTokensDetails, CostDetails, PromptTokensDetails, ServerToolUse, Usage};
