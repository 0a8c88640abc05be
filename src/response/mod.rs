//! What is answered: answers whole and in pieces, what they cost, what went wrong, and what the catalogue says.
//!
//! Everything here reads whatever comes: new fields and names appear on the wire without notice, and a field of the wrong type is no reason to
//! lose an answer. The types are those of [`openrouter_wire`]; amounts of money are read from them with [`ToUsd`] and [`UsageExt`].

mod money;

pub use money::{ToUsd, UsageExt};
pub(crate) use money::{at_tier, token_usage, usage_of_vectors};
pub use openrouter_wire::{
    Decimal, DecimalError,
    account::{Credits, DailyRequests, Generation, KeyInfo, ProviderResponse},
    catalogue::{
        AliasTarget, Architecture, Endpoint, Links, Model, ModelEndpoints, ModelReasoning, ModelsPage, PageLinks,
        Percentiles, Price, PriceOverride, PriceOverrides, Pricing, TopProvider,
    },
    chat::{
        Annotation, AnswerMessage, ChatChunk, ChatResponse, Choice, ChunkChoice, ChunkProbe, FunctionDelta,
        ReasoningDetail, ToolCallDelta, UrlCitation,
    },
    error::{Availability, ErrorCode, PreviousError, RAW_LIMIT, UpstreamError, affordable_tokens},
    finish::FinishReason,
    usage::{CompletionTokensDetails, CostDetails, PromptTokensDetails, ServerToolUse, Usage},
};
pub use tower_llm_layers::{UsdAmount, UsdError};
