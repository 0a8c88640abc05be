//! What waits to be written, between the path of answers and the writer. Nothing under its lock waits or does I/O.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};
use tower_llm_layers::ledger::{Correction, Entry};

use crate::{counter::Counter, text::plain_entry};

/// Bytes that one batch has at most, roughly.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes that may wait, roughly.
const MOST_BYTES: usize = 256 << 20;
/// What an item takes beside its texts, roughly.
const ITEM_BYTES: usize = 400;

/// One thing to write.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Entry(Box<Entry>),
    Correction(Box<Correction>),
}

impl Item {
    fn bytes(&self) -> usize {
        let Self::Entry(entry) = self else { return ITEM_BYTES };
        let id = entry.generation_id.as_deref().unwrap_or_default();
        let texts = ITEM_BYTES + entry.upstream.len() + entry.model.len() + id.len();
        // Tags are written twice.
        let tags = entry.tags.iter().map(|(name, value)| 2 * (name.len() + value.len()));
        texts + tags.sum::<usize>()
    }

    /// The same in ASCII alone, or nothing if it is that already.
    pub(crate) fn plain(&self) -> Option<Self> {
        match self {
            Self::Entry(entry) => plain_entry(entry).map(|entry| Self::Entry(Box::new(entry))),
            Self::Correction(_) => None,
        }
    }

    /// The entry that it is about.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Entry(entry) => entry.id.to_string(),
            Self::Correction(correction) => correction.id.to_string(),
        }
    }
}

/// A bounded queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    counter: Option<Counter>,
    /// Notified when a batch is full, and at the end.
    pub(crate) full: Notify,
    /// Notified when something came into an empty queue, and at the end.
    pub(crate) begun: Notify,
    closing: watch::Sender<bool>,
    batch: usize,
    most: usize,
}

#[derive(Default)]
struct State {
    /// With the bytes that each takes, so that nothing is computed under the lock.
    items: VecDeque<(usize, Item)>,
    bytes: usize,
    /// Items that the writer has taken out, and not yet written.
    taken: usize,
    counts: Counts,
    is_closing: bool,
}

/// How much went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Taken in.
    pub(crate) accepted: u64,
    /// Not taken in, given up, or refused by the database.
    pub(crate) lost: u64,
    /// Of the lost ones, those that the database refused.
    pub(crate) rejected: u64,
}

impl Queue {
    pub(crate) fn new(batch: usize, most: usize, counter: Option<Counter>) -> Self {
        Self {
            state: Mutex::default(),
            counter,
            full: Notify::new(),
            begun: Notify::new(),
            closing: watch::Sender::new(false),
            batch,
            most,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an item in, or counts it as lost.
    pub(crate) fn push(&self, item: Item) {
        let bytes = item.bytes();
        let taken_in = self.lock().push(item, bytes, self.most);
        let (accepted, length) = match taken_in {
            Ok(taken_in) => taken_in,
            Err(lost) => {
                if lost.is_power_of_two() {
                    tracing::error!(target: "llm::ledger", lost, "the ledger's queue is full or closed: entries are lost");
                }
                return;
            }
        };
        if let Some(counter) = &self.counter {
            counter.note(accepted);
        }
        if length == 1 {
            self.begun.notify_one();
        }
        if length >= self.batch {
            self.full.notify_one();
        }
    }

    /// Takes the next batch out, in order. It counts as waiting until it is [`settled`](Self::settled).
    pub(crate) fn take(&self) -> Vec<Item> {
        let mut state = self.lock();
        let (mut count, mut bytes) = (0, 0);
        for (more, _) in state.items.iter().take(self.batch) {
            // One that is too large by itself goes alone.
            if count > 0 && bytes + more > BATCH_BYTES {
                break;
            }
            count += 1;
            bytes += more;
        }
        state.bytes = state.bytes.saturating_sub(bytes);
        state.taken += count;
        state.items.drain(..count).map(|(_, item)| item).collect()
    }

    /// So many of the items that were taken out are written.
    pub(crate) fn settled(&self, count: usize) {
        let mut state = self.lock();
        state.taken = state.taken.saturating_sub(count);
    }

    /// One of the items that were taken out cannot be written. Says how many there were so far.
    pub(crate) fn rejected(&self) -> u64 {
        let mut state = self.lock();
        state.taken = state.taken.saturating_sub(1);
        state.counts.lost += 1;
        state.counts.rejected += 1;
        state.counts.rejected
    }

    /// How many are waiting, those that are being written included.
    pub(crate) fn len(&self) -> usize {
        let state = self.lock();
        state.items.len() + state.taken
    }

    pub(crate) fn is_full_batch(&self) -> bool {
        self.lock().items.len() >= self.batch
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Counts everything that is not written as lost. Says how much that is.
    pub(crate) fn give_up(&self) -> usize {
        let mut state = self.lock();
        let left = state.items.len() + state.taken;
        state.items.clear();
        (state.bytes, state.taken) = (0, 0);
        state.counts.lost += left as u64;
        left
    }

    /// Nothing more comes in.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
        self.closing.send_replace(true);
        self.full.notify_one();
        self.begun.notify_one();
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits until it is closed.
    pub(crate) async fn closing(&self) {
        // The sender lives in here: it is not gone.
        drop(self.closing.subscribe().wait_for(|is_closing| *is_closing).await);
    }

    /// Lets another process have the ledger.
    pub(crate) fn unlock(&self) {
        if let Some(counter) = &self.counter {
            counter.unlock();
        }
    }
}

impl State {
    /// Gives how many were taken in so far and how many wait, or how many are lost.
    fn push(&mut self, item: Item, bytes: usize, most: usize) -> Result<(u64, usize), u64> {
        let is_full = self.items.len() + self.taken >= most || self.bytes + bytes > MOST_BYTES;
        if self.is_closing || is_full {
            self.counts.lost += 1;
            return Err(self.counts.lost);
        }
        self.items.push_back((bytes, item));
        self.bytes += bytes;
        self.counts.accepted += 1;
        Ok((self.counts.accepted, self.items.len()))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("waiting", &self.items.len())
            .field("taken", &self.taken)
            .field("counts", &self.counts)
            .field("is_closing", &self.is_closing)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tower_llm_layers::{UsdAmount, UtcTime, ledger::EntryId};

    use super::*;

    fn item() -> Item {
        let at = UtcTime::from_millis(0);
        Item::Correction(Box::new(Correction::new(EntryId::new(at), at, UsdAmount::ZERO, None)))
    }

    #[test]
    fn what_is_being_written_waits_and_a_batch_is_bounded_in_bytes() {
        let most = BATCH_BYTES / ITEM_BYTES;
        let queue = Queue::new(usize::MAX, most + 10, None);
        for _ in 0..most + 20 {
            queue.push(item());
        }
        assert_eq!((queue.len(), queue.counts().lost), (most + 10, 10));
        assert_eq!(queue.take().len(), most);
        assert_eq!(queue.len(), most + 10, "it may fail yet");
        queue.push(item());
        assert_eq!(queue.counts().lost, 11, "still no room");
        queue.settled(most - 1);
        assert_eq!((queue.rejected(), queue.len()), (1, 10));
        queue.push(item());
        assert_eq!(queue.give_up(), 11);
        assert_eq!((queue.len(), queue.counts().lost), (0, 23));
    }
}
