//! The calls that wait for a place, and which of them is next.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::Priority;

/// One that waits for its turn, a `T`.
type Waiter<T> = oneshot::Sender<T>;

/// Of so many places one goes to the oldest batch, so that batches are served while interactive calls keep coming.
const BATCH_SHARE: usize = 10;

/// Two lines, each in the order of arrival. A waiter that has left is skipped.
#[derive(Debug)]
pub(super) struct Queue<T> {
    interactive: VecDeque<Waiter<T>>,
    batches: VecDeque<Waiter<T>>,
    /// Places given to interactive calls in a row while a batch waited.
    passed_over: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            interactive: VecDeque::new(),
            batches: VecDeque::new(),
            passed_over: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.batches.is_empty()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        let waiting = self.interactive.iter().chain(&self.batches);
        waiting.filter(|waiter| !waiter.is_closed()).count()
    }

    pub(super) fn forget_closed(&mut self) {
        self.interactive.retain(|waiter| !waiter.is_closed());
        self.batches.retain(|waiter| !waiter.is_closed());
    }

    /// How many are served before a new call of this priority, as the queue stands.
    pub(super) fn ahead_of(&self, priority: Priority) -> usize {
        let (interactive, batches) = (self.interactive.len(), self.batches.len());
        match priority {
            Priority::Interactive => interactive + batches.min(interactive / (BATCH_SHARE - 1)),
            // By its share of the places, if the interactive calls take longer.
            Priority::Batch => (interactive + batches).min((batches + 1) * BATCH_SHARE - 1),
        }
    }

    pub(super) fn push(&mut self, priority: Priority) -> oneshot::Receiver<T> {
        let (turn, waits) = oneshot::channel();
        match priority {
            Priority::Interactive => self.interactive.push_back(turn),
            Priority::Batch => self.batches.push_back(turn),
        }
        waits
    }

    /// The batch that came last, out of the queue.
    pub(super) fn take_last_batch(&mut self) -> Option<Waiter<T>> {
        self.batches.pop_back()
    }

    /// Who is served next, out of the queue.
    pub(super) fn pop(&mut self) -> Option<Waiter<T>> {
        self.forget_closed();
        if self.batches.is_empty() {
            self.passed_over = 0;
        }
        if self.passed_over + 1 < BATCH_SHARE
            && let Some(next) = self.interactive.pop_front()
        {
            self.passed_over += usize::from(!self.batches.is_empty());
            return Some(next);
        }
        self.passed_over = 0;
        self.batches.pop_front().or_else(|| self.interactive.pop_front())
    }
}
