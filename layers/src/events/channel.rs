//! The channel that events go over: bounded, and never waited for.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{Event, EventKind};

/// A channel that holds so many events, at least one. What comes while it is full is lost, and counted.
#[must_use]
pub fn channel(capacity: usize) -> (EventSender, EventReceiver) {
    let capacity = capacity.clamp(1, MOST);
    let (sender, receiver) = mpsc::channel(capacity);
    let counts = Arc::new(Counts::default());
    let sender = EventSender {
        sender,
        counts: Arc::clone(&counts),
    };
    (sender, EventReceiver { receiver, counts })
}

/// The largest capacity.
const MOST: usize = 1 << 20;

#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    lost: AtomicU64,
}

/// Where events are sent. Clones share the channel and the numbers of calls.
#[derive(Clone)]
pub struct EventSender {
    sender: mpsc::Sender<Event>,
    counts: Arc<Counts>,
}

/// Where events arrive.
pub struct EventReceiver {
    receiver: mpsc::Receiver<Event>,
    counts: Arc<Counts>,
}

impl EventSender {
    pub(super) fn next_call(&self) -> u64 {
        self.counts.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts it into the channel, or counts it as lost.
    pub(super) fn send(&self, call: u64, kind: impl FnOnce() -> EventKind) {
        match self.sender.try_reserve() {
            Ok(place) => place.send(Event { call, kind: kind() }),
            Err(mpsc::error::TrySendError::Full(())) => {
                self.counts.lost.fetch_add(1, Ordering::Relaxed);
            }
            // No task listens any more.
            Err(mpsc::error::TrySendError::Closed(())) => {}
        }
    }
}

impl EventReceiver {
    /// The next event, in the order in which they were sent; `None` once all senders are gone. Dropping the future loses none.
    pub async fn recv(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next event, if one is there.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// How many were lost since the channel was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.counts.lost.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for EventSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventSender").finish_non_exhaustive()
    }
}

impl fmt::Debug for EventReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReceiver")
            .field("lost", &self.lost())
            .finish_non_exhaustive()
    }
}
