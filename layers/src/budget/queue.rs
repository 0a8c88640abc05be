//! Those that wait for money of one account, in the order in which they came.
//!
//! Kept apart from the rest, with its locks by way of `super::sync`, so that a model checker can run it with its own.

use std::{collections::BTreeMap, sync::atomic::Ordering, task::Waker};

use super::sync::{AtomicUsize, Mutex, whole};

/// The queue of one account. The first one in it asks the account; the others wait until they are the first.
///
/// No wake-up is lost: one that waits enters before it asks, and so whatever becomes free after it asked wakes it; and one that leaves from
/// the first place, be it served or dropped, wakes the next.
#[derive(Debug)]
pub(super) struct Queue {
    /// By the number in which they came.
    waiting: Mutex<BTreeMap<u64, Waker>>,
    /// How many there are: without any, as on a good day, the queue is not looked at.
    count: AtomicUsize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(BTreeMap::new()),
            count: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Takes a place, or keeps it, to be woken by this waker. Returns whether it is the first.
    pub(super) fn enter(&self, number: u64, waker: &Waker) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(whole);
        match waiting.get_mut(&number) {
            Some(known) => known.clone_from(waker),
            None => {
                waiting.insert(number, waker.clone());
            }
        }
        self.count.store(waiting.len(), Ordering::Release);
        waiting.keys().next() == Some(&number)
    }

    /// Gives the place up.
    pub(super) fn leave(&self, number: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(whole);
        let was_first = waiting.keys().next() == Some(&number);
        waiting.remove(&number);
        self.count.store(waiting.len(), Ordering::Release);
        let next = waiting.values().next().filter(|_| was_first).cloned();
        drop(waiting);
        if let Some(next) = next {
            next.wake();
        }
    }

    /// Money has become free.
    pub(super) fn wake_first(&self) {
        if self.is_empty() {
            return;
        }
        let first = self.waiting.lock().unwrap_or_else(whole).values().next().cloned();
        if let Some(first) = first {
            first.wake();
        }
    }
}
