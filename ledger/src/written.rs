//! What the writer shares with the ledger's handle: how much it has written, and what earlier runs lost.

use std::sync::{Mutex, PoisonError, atomic::AtomicU64};

use crate::run::LostBefore;

/// Counts of this run, and the losses of earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) items: AtomicU64,
    /// Corrections of entries that are not there.
    pub(crate) strays: AtomicU64,
    /// What earlier runs lost, as far as is known.
    before: Mutex<LostBefore>,
}

impl Written {
    /// Nothing yet, after earlier runs that lost this.
    pub(crate) fn after(before: LostBefore) -> Self {
        Self {
            before: Mutex::new(before),
            ..Self::default()
        }
    }

    /// What earlier runs lost, as far as is known.
    pub(crate) fn before(&self) -> LostBefore {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_before(&self, before: LostBefore) {
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = before;
    }
}
