//! Whether a connection is to end, and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const OPEN: u8 = 0;
const CLOSE: u8 = 1;
const RESET: u8 = 2;

/// Breaks a connection. It does so at the connection's next flush, so that all that was written before still leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionState(Arc<AtomicU8>);

impl ConnectionState {
    /// Ends the connection in good order, as far as TCP is concerned.
    pub(crate) fn close(&self) {
        self.0.store(CLOSE, Ordering::Release);
    }

    /// Ends the connection with a TCP reset.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::Release);
    }

    /// Whether the connection is to end, one way or the other.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire) != OPEN
    }

    /// Whether it is to end with a TCP reset.
    pub(crate) fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire) == RESET
    }
}
