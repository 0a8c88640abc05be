//! The locks of the book. The model checker's test brings others under the same names.

pub(super) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize};

/// The value of a lock, also after a panic of another holder.
pub(super) fn whole<T>(poisoned: PoisonError<T>) -> T {
    poisoned.into_inner()
}
