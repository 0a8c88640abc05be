//! What a request costs at a candidate: price lists, and what is believed of the counts that are priced.

#[cfg(any(feature = "cost", feature = "rate-limit"))]
mod counted;
mod fixed;
mod price;

#[cfg(any(feature = "cost", feature = "rate-limit"))]
pub(crate) use counted::{PromptEstimate, ShownTokens};
pub use fixed::FixedPrices;
pub use price::{PriceList, Quote, WorstCasePrice};
