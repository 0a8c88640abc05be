//! OpenRouter's read-only calls: models, prices, the key, the balance, and past generations.

mod bills;
mod calls;
mod keys;
mod pages;

pub use bills::Bills;
pub use calls::Account;
