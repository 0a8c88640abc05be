//! How much was written to the connections: what holds a paused clock waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// What was written to the connections since the last look.
#[derive(Debug, Default)]
pub(crate) struct Written {
    bytes: AtomicU64,
    bell: Notify,
}

impl Written {
    /// Counts a write.
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.bell.notify_one();
    }

    /// Waits for a write; how many bytes were written since the last look.
    pub(crate) async fn next(&self) -> u64 {
        self.bell.notified().await;
        self.bytes.swap(0, Ordering::Relaxed)
    }
}
