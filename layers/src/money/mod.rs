//! Exact money, and what is priced by it.

#[cfg(any(feature = "cost", feature = "rate-limit"))]
mod counted;
mod fixed;
mod price;
mod usage;
mod usd;

#[cfg(any(feature = "cost", feature = "rate-limit"))]
pub(crate) use counted::{PromptEstimate, ShownTokens};
pub use fixed::FixedPrices;
pub use price::{PriceCeiling, PriceList, Quote, WorstCasePrice};
#[cfg(feature = "rate-limit")]
pub(crate) use usage::MOST_TOKENS;
pub use usage::{PriceTier, TokenUsage};
pub use usd::{UsdAmount, UsdError};
