//! The locks of the book. The model checker's test brings others under the same names.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a lock holds, whoever panicked with it.
pub(super) fn whole<T>(poisoned: PoisonError<T>) -> T {
    poisoned.into_inner()
}
