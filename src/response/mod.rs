//! What comes back: answers, chunks, usage, errors, models, and the account's facts.
//!
//! Everything is read permissively: unknown fields are ignored or kept, unknown words land in an `Other`, and a field of the wrong
//! type is taken as absent where the rest is still of use. OpenRouter adds fields and words without notice.

mod account;
mod amount;
mod chat;
mod chunk;
mod envelope;
mod finish;
mod hints;
mod lenient;
mod model;
mod probe;
mod usage;

pub use account::{Credits, FreeRequests, Generation, KeyInfo, ProviderResponse};
pub use amount::{Amount, AmountError, Price};
pub use chat::{AnswerMessage, ChatResponse, Choice, FunctionCall, ToolCall};
pub use chunk::{ChatChunk, ChunkChoice, Delta, FunctionFragment, ToolCallFragment};
pub use envelope::{ErrorCode, UpstreamError};
pub use finish::FinishReason;
pub use hints::RetryHints;
pub use model::{
    Architecture, Model, ModelEndpoint, ModelEndpoints, ModelsPage, Percentiles, Pricing,
    TopProvider,
};
pub use probe::AnswerProbe;
pub(crate) use probe::{text_of, usage_of};
pub use usage::{CompletionDetails, CostDetails, PromptDetails, Usage};
