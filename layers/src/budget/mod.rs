//! The most that may be spent: reserved before an attempt, settled once after it.
//!
//! A [`Budget`] is a cap for a scope (any set of tags) and a [`Window`]: an hour, a day, a week or a month, in UTC or in a time [`Zone`], a rolling
//! time before now, or no window. Before each attempt the most it can cost is reserved on every account that it is recorded on, all or
//! nothing. Afterwards the reservation is settled by what the attempt cost. So at every instant, of every budget that is not soft: spent + reserved ≤ cap.
//!
//! Accounts are kept in a [`BudgetStore`]: a [`InMemoryBudgetStore`] in this process, or one that several processes share.
//!
//! Money that is reserved becomes free when attempts end. Attempts that wait for it ([`BudgetStore::reserve_queued`]) are served in the order
//! in which they came; up to [`MAX_QUEUED_RESERVATIONS`] wait in an [`InMemoryBudgetStore`]. One that does not wait takes what is free.
//!
//! # Errors
//!
//! [`Refusal`] says which budget, whose account, what is spent and reserved, and when it is full again, or enough of it is.
//!
//! # Cancellation
//!
//! A [`Reservation`] that is dropped gives back what it held.

mod account;
mod book;
mod budgets;
mod calendar;
mod error;
mod held;
mod in_force;
mod in_memory;
mod limit;
mod lines;
#[cfg(feature = "zones")]
mod named_zone;
mod queue;
mod refusal;
mod rolling;
mod set;
mod slot;
mod spent_before;
mod standing;
mod store;
mod sync;
mod turn;
mod warn;
mod window;
mod zone;

pub use book::{AccountState, DEFAULT_MAX_ACCOUNTS, InMemoryBudgetStore};
pub use budgets::Budgets;
pub use error::BudgetError;
pub use limit::{Budget, MAX_PER_HOUR, MODEL, UPSTREAM};
pub use refusal::{Refusal, RefusalReason};
pub use spent_before::SpentBefore;
pub use store::{
    AccountRef, BudgetStore, Decision, MAX_QUEUED_RESERVATIONS, Reservation, ReservationHandle, ReserveRequest,
};
pub use warn::{WARN_AT_PERCENT, warn_at_thresholds};
pub use window::Window;
pub use zone::Zone;
