//! The most that may be spent: held before an attempt, settled once after it.
//!
//! A [`Budget`] is a cap for a scope (any set of tags) and a window (a UTC day, week or month, or for ever). Before each attempt the
//! most it can cost is held on every account it is booked on, all or nothing; afterwards the hold ends, and what it
//! really cost is spent. So at every instant, of every budget that is not soft: spent + held ≤ cap.
//!
//! Accounts are kept in a [`BudgetStore`]: a [`InMemoryBudgetStore`] in this process, or one that several processes share.
//!
//! # Errors
//!
//! [`Refusal`] says which budget, whose account, what is spent and held, and when it is full again.
//!
//! # Cancellation
//!
//! A [`Reservation`] that is dropped gives back what it held.

mod account;
mod book;
mod budgets;
mod limit;
mod refusal;
mod slot;
mod store;
mod sync;
mod warn;
mod window;

pub use book::{AccountState, InMemoryBudgetStore, MAX_ACCOUNTS};
pub use budgets::Budgets;
pub use limit::{Budget, BudgetError, MODEL, UPSTREAM};
pub use refusal::{Refusal, RefusalReason};
pub use store::{AccountRef, BudgetStore, Decision, Hold, Reservation, ReserveRequest};
pub use warn::{MARKS, warn_at_marks};
pub use window::Window;
