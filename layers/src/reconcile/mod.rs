//! Fetches the bills of answers that broke off, and puts them in the place of the estimates.
//!
//! When a caller leaves mid-stream, what was charged is not known: the entry is an estimate. The upstream knows later, by the
//! answer's name. A [`Reconciler`] asks for it on a schedule over minutes, and posts the [`Correction`](crate::ledger::Correction) to the
//! ledger and the difference to the budgets. It is itself a [`Ledger`](crate::ledger::Ledger): give it to the cost layer beside the one that
//! keeps the entries, and [`resume`](Reconciler::resume) it after a restart with those that still await their bill.
//!
//! # Errors
//!
//! A bill that never comes leaves the estimate, in the budgets too, and is said once. What does not fit into the queue is counted, and found
//! again at the next start.
//!
//! # Cancellation
//!
//! Dropping the last handle ends all that waits; the entries are still estimates in the ledger, and are resumed from there.

mod reconciler;
mod schedule;
mod source;

pub use reconciler::{MAX_PENDING, MAX_REQUESTS, Reconciler, ReconcilerBuilder};
pub use schedule::{FIRST_WAIT, LONGEST_WAIT};
pub use source::{Bill, BillError, BillFuture, BillSource};
