//! What OpenRouter tells of models, prices, the key, the balance, and past calls.

mod bills;
mod calls;
mod pages;

pub use bills::Bills;
pub use calls::Account;
