//! Watches the money that is left: the prepaid balance, the key's cap, the day's free requests.
//!
//! A [`BalanceWatch`] asks for them at a low rate, keeps what it was told readable ([`Balance`]), and says before one of them runs out at
//! the present pace. It is also a [`Ledger`](crate::layers::ledger::Ledger): given to a stack beside the one that keeps the
//! entries, it learns at once what is spent, which the account tells only minutes later, and asks again at once when the upstream
//! refuses for want of money.
//!
//! What a key may not see is unknown, and no failure.
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
mod state;
mod watch;

pub use state::{Balance, BalanceSource, PurseState};
pub use watch::{BalanceWatch, BalanceWatchBuilder, POLL_EVERY, WARN_BEFORE};
