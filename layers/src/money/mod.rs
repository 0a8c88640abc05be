//! Exact money, and what is priced by it.

mod fixed;
mod price;
mod usage;
mod usd;

pub use fixed::FixedPrices;
pub use price::{PriceCeiling, PriceList, Quote, WorstCasePrice};
#[cfg(feature = "rate-limit")]
pub(crate) use usage::MOST_TOKENS;
pub use usage::{PriceTier, TokenUsage};
pub use usd::{UsdAmount, UsdError};
