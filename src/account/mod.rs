//! What OpenRouter tells of models, prices, the key, the balance, and past calls.

mod calls;
mod pages;

pub use calls::Account;
