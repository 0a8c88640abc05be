//! A call on a client, from its start to the end of its response's body.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

/// A call that is dropped without a response counts as silent after this long. Before that the caller has left.
const SILENT_AFTER: Duration = Duration::from_secs(1);

/// What counts the calls of one client.
pub(crate) trait CallCounter: Send + Sync {
    /// A response came: the connection is well.
    fn responded(&self);

    /// A call has ended; `in_silence` says that no response came to it.
    fn ended(&self, in_silence: bool);
}

/// A call that its client has counted.
pub(crate) struct InFlight {
    counter: Arc<dyn CallCounter>,
    since: Instant,
    /// Whether it has ended otherwise than in silence.
    is_settled: bool,
}

impl InFlight {
    pub(crate) fn new(counter: Arc<dyn CallCounter>, now: Instant) -> Self {
        Self {
            counter,
            since: now,
            is_settled: false,
        }
    }

    /// A response came: the connection is well.
    pub(crate) fn responded(&mut self) {
        self.is_settled = true;
        self.counter.responded();
    }

    /// The exchange failed by itself: that says nothing of other connections.
    pub(crate) const fn failed(&mut self) {
        self.is_settled = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let in_silence = !self.is_settled && self.since.elapsed() >= SILENT_AFTER;
        self.counter.ended(in_silence);
    }
}
