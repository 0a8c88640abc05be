//! The trait of a ledger, and one that writes to two.

use std::{fmt, sync::Arc};

use super::{Correction, Entry};

/// Takes the entries of attempts.
///
/// Both methods are called on the path of an answer, and in `drop`: they hand over and return at once. A sink that writes
/// does so elsewhere, and counts what it could not take.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// Takes the entry of an attempt that has ended. Called once per entry.
    fn record(&self, entry: &Entry);

    /// Takes the bill of an entry that was recorded before, possibly by another process or an earlier run, or what else
    /// [becomes of it](Correction).
    fn correct(&self, correction: &Correction);

    /// Whether what it takes outlives the process. Budgets that do not are restored from it at the start.
    fn is_durable(&self) -> bool {
        false
    }
}

impl<L: Ledger + ?Sized> Ledger for Arc<L> {
    fn record(&self, entry: &Entry) {
        (**self).record(entry);
    }

    fn correct(&self, correction: &Correction) {
        (**self).correct(correction);
    }

    fn is_durable(&self) -> bool {
        (**self).is_durable()
    }
}

/// Several ledgers as one: each gets every entry and correction.
#[derive(Debug, Clone, Default)]
pub struct Tee(Vec<Arc<dyn Ledger>>);

impl Tee {
    /// These.
    #[must_use]
    pub fn new(ledgers: impl IntoIterator<Item = Arc<dyn Ledger>>) -> Self {
        Self(ledgers.into_iter().collect())
    }
}

impl Ledger for Tee {
    fn record(&self, entry: &Entry) {
        for ledger in &self.0 {
            ledger.record(entry);
        }
    }

    fn correct(&self, correction: &Correction) {
        for ledger in &self.0 {
            ledger.correct(correction);
        }
    }

    fn is_durable(&self) -> bool {
        self.0.iter().any(Ledger::is_durable)
    }
}
