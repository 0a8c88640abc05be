//! A mutex that is never poisoned.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex for state that each change leaves whole: after a panic of one holder the next one continues with it.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
