//! How the answers of upstreams are read.

use std::time::Duration;

use super::StackBuilder;

impl<R, F, E> StackBuilder<R, F, E> {
    /// The largest event of a stream, in bytes. 64 MiB by default: pictures come within one event, as base64. A larger one ends the stream with an
    /// error. It concerns the stack's own transport only.
    #[must_use]
    pub fn max_event_bytes(self, bytes: usize) -> Self {
        self.connections(|transport| transport.max_event_bytes(bytes))
    }

    /// How long a stream is read for its usage, and for its end, behind the finish of the answer. 10 s by default. It concerns the stack's own
    /// transport only.
    #[must_use]
    pub fn trailer_timeout(self, limit: Duration) -> Self {
        self.connections(|transport| transport.trailer_timeout(limit))
    }
}
