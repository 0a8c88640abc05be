//! Those that wait for money of one account, in the order in which they came.
//!
//! Kept apart from the rest, with its locks by way of `super::sync`, so that a model checker can run it with its own.

use std::{collections::BTreeMap, sync::atomic::Ordering, task::Waker, time::Duration};

use tokio::time::Instant;

use super::sync::{AtomicUsize, Mutex, MutexGuard, whole};

/// The first one has so long to ask after it was woken. Then it is passed over until it is polled again: its task may be busy elsewhere, or
/// not poll it at all, as a stream of buffered futures does that is not read.
const GRACE: Duration = Duration::from_millis(50);

/// One that is not the first looks so often whether those before it still ask.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The queue of one account. The first one in it asks the account; the others wait until they are the first.
///
/// No wake-up is lost: one that waits enters before it asks, and so whatever becomes free after it asked wakes it; and one that leaves from
/// the first place, be it served, dropped or passed over, wakes the next. One that was passed over enters again with its number, and so in
/// its place, when it is polled.
#[derive(Debug)]
pub(super) struct Queue {
    /// By the number in which they came.
    waiting: Mutex<Waiters>,
    /// How many there are: without any, as on a good day, the queue is not looked at.
    count: AtomicUsize,
}

type Waiters = BTreeMap<u64, Waiter>;

#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// When it waits no more.
    until: Instant,
    /// When it is passed over, unless it is polled before: set when it is woken.
    lapses: Option<Instant>,
}

impl Waiter {
    /// It is woken by this waker. A second wake-up gives it no more time.
    fn woken(&mut self, now: Instant) -> Waker {
        self.lapses.get_or_insert(now + GRACE);
        self.waker.clone()
    }

    fn is_over(&self, now: Instant) -> bool {
        now >= self.until || self.lapses.is_some_and(|lapses| now >= lapses)
    }
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(BTreeMap::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// Whether one waits here that still asks.
    pub(super) fn is_busy(&self) -> bool {
        self.has_before(u64::MAX)
    }

    /// Whether one waits here that came before this number, and still asks.
    pub(super) fn has_before(&self, number: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        let (mut waiting, now) = (self.lock(), Instant::now());
        let next = self.pass_over(&mut waiting, now);
        let has = waiting.keys().next().is_some_and(|first| *first < number);
        drop(waiting);
        wake(next);
        has
    }

    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiting.lock().unwrap_or_else(whole)
    }

    /// Takes a place until this instant for one that is about to be polled.
    pub(super) fn reserve_place(&self, number: u64, until: Instant) {
        let place = Waiter {
            waker: Waker::noop().clone(),
            until,
            lapses: Some(Instant::now() + GRACE),
        };
        let mut waiting = self.lock();
        waiting.insert(number, place);
        self.count.store(waiting.len(), Ordering::Release);
    }

    /// Takes a place, or keeps it, to be woken by this waker until this instant. Returns `None` if it is the first, otherwise when to look
    /// again.
    pub(super) fn enter(&self, number: u64, waker: &Waker, until: Instant) -> Option<Instant> {
        let (mut waiting, now) = (self.lock(), Instant::now());
        let place = Waiter {
            waker: waker.clone(),
            until,
            lapses: None,
        };
        waiting.remove(&number);
        let next = self.pass_over(&mut waiting, now);
        waiting.insert(number, place);
        self.count.store(waiting.len(), Ordering::Release);
        let first = waiting.first_key_value();
        let look = first.filter(|(first, _)| **first != number).map(|(_, first)| {
            let look = now + LOOK_EVERY;
            first.lapses.map_or(look, |lapses| lapses.min(look))
        });
        drop(waiting);
        wake(next);
        look
    }

    /// Gives the place up.
    pub(super) fn leave(&self, number: u64) {
        let mut waiting = self.lock();
        let was_first = waiting.keys().next() == Some(&number);
        waiting.remove(&number);
        self.count.store(waiting.len(), Ordering::Release);
        let next = waiting.values_mut().next().filter(|_| was_first);
        let next = next.map(|next| next.woken(Instant::now()));
        drop(waiting);
        wake(next);
    }

    /// Money has become free.
    pub(super) fn wake_first(&self) {
        if self.is_empty() {
            return;
        }
        let (mut waiting, now) = (self.lock(), Instant::now());
        self.pass_over(&mut waiting, now);
        let first = waiting.values_mut().next().map(|first| first.woken(now));
        drop(waiting);
        wake(first);
    }

    /// Removes those from the first places that wait no more, or did not ask in time. Returns the waker of the next one, if some were
    /// removed.
    fn pass_over(&self, waiting: &mut Waiters, now: Instant) -> Option<Waker> {
        let before = waiting.len();
        while let Some(first) = waiting.first_entry().filter(|first| first.get().is_over(now)) {
            first.remove();
        }
        let has_passed = waiting.len() < before;
        self.count.store(waiting.len(), Ordering::Release);
        let next = waiting.values_mut().next().filter(|_| has_passed);
        next.map(|next| next.woken(now))
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
