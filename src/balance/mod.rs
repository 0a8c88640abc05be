//! Watches the money that is left: the prepaid balance, the key's cap, the budget that blocks the key first, the day's free requests.
//!
//! A [`BalanceWatch`] reads them at a low rate, makes the last reading available ([`Balance`]), and warns before one of them runs out at
//! the present pace. It is also a [`Ledger`](crate::layers::ledger::Ledger): given to a stack together with the ledger that keeps the
//! entries, it knows at once what is spent, which the account reports only minutes later, and reads the account again at once when the
//! upstream refuses a call for lack of money.
//!
//! What a key may not see is unknown. That is not a failure: an ordinary key sees no balance, or zeros in its place. A refusal for lack of what is
//! unknown ends with the next answer that is paid for, or ten minutes after the last refusal.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tower_openrouter::{Account, ApiKey, Stack, Transport, Upstream, balance::BalanceWatch};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = ApiKey::from_variable("OPENROUTER_API_KEY")?;
//! let account = Account::new(Transport::openrouter()?, Upstream::openrouter()?, Some(key.clone()));
//! let watch = BalanceWatch::builder(account).spawn_on(&tokio::runtime::Handle::current());
//! let stack = Stack::openrouter(key).ledger(Arc::new(watch.clone())).build()?;
//! // … later …
//! println!("{}", watch.state());
//! # Ok(())
//! # }
//! ```

mod forecast;
mod key_budget;
mod state;
mod watch;

pub use state::{Balance, BalanceSource, SourceState};
pub use watch::{BalanceWatch, BalanceWatchBuilder, DEFAULT_POLL_EVERY, DEFAULT_WARN_BEFORE};
