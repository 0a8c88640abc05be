//! What is answered.

mod decimal;
mod usd;

pub use decimal::Decimal;
pub use usd::{UsdAmount, UsdError};
