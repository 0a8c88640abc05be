//! Exact money, and the counts that are charged.

mod ceiling;
mod usage;
mod usd;

pub use ceiling::PriceCeiling;
#[cfg(feature = "rate-limit")]
pub(crate) use usage::MOST_TOKENS;
pub use usage::{PriceTier, TokenUsage};
pub use usd::{UsdAmount, UsdError};
