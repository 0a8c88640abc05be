//! Fetches the bills of interrupted answers, and replaces the estimates by them.
//!
//! When a caller leaves mid-stream, the charge is not known: the entry is an estimate. The upstream reports the bill later, by the answer's
//! generation id. A [`Reconciler`] requests it on a schedule over minutes, and posts the [`Correction`](crate::ledger::Correction) to the
//! ledger and the difference to the budgets. It is itself a [`Ledger`](crate::ledger::Ledger): give it to the cost layer together with the
//! ledger that keeps the entries, and [`resume`](Reconciler::resume) it after a restart with the entries that still await their bill.
//!
//! By hand: `CostLayer::new().ledger(Arc::new(Tee::new([ledger, reconciler]))).bills_follow(true)`, both as `Arc<dyn Ledger>`, the keeping ledger first. With a
//! stack it is `StackBuilder::reconciler`. An estimated entry without a generation id is never looked up: it stays estimated.
//!
//! # Errors
//!
//! A bill that never comes leaves the estimate: the entry becomes [unbilled](crate::ledger::EntryState::Unbilled), the budgets keep no more
//! than it, and it is logged. So does an entry at once that finds no place to wait in, is too old, or is of an upstream without bills.
//! An account that refuses the question, such as with a rejected key, uses up no try: it is looked at again after the longest wait, up to
//! [`MOST_REFUSALS`] times. After those, or after 80 minutes by default if the account is slow, the budgets keep no more than the estimate, and the
//! ledger's entry, which records no more either, still awaits its bill: a later run requests it.
//! Settings that cannot be are refused when it starts: a [`ReconcilerError`] names all of them.
//!
//! # Cancellation
//!
//! Dropping the last handle ends all waits; the entries are still estimates in the ledger, and are resumed from there.

mod ended;
mod error;
mod reconciler;
mod schedule;
mod source;
#[cfg(test)]
mod tests;
mod work;

pub use error::{ReconcilerError, ReconcilerProblem};
pub use reconciler::{MAX_AGE, MAX_PENDING, MAX_REQUESTS, Reconciler, ReconcilerBuilder};
pub use schedule::{INITIAL_BILL_DELAY, MAX_BILL_DELAY, MOST_REFUSALS};
pub use source::{Bill, BillError, BillFuture, BillSource};
