//! One call that several readers share.
//!
//! No reader owns it: each reader that is polled polls the call, with a waker that wakes all waiting readers. So the call continues while
//! it has a reader. When the last reader is dropped, the call is dropped, and its connection closes.

mod board;
mod reader;
mod readers;
mod table;
mod upstream;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::Instant;

use self::board::{Board, End, State};
pub(super) use self::{
    board::Begun,
    reader::{Lost, Reader},
    table::{Entered, Flights, OneKey, Order},
    upstream::{BoxDrive, Drive, Step, Upstream},
};
use super::{
    AnswerKey, Cache,
    entry::{Entry, Head},
};
use crate::{Failure, FailureKind, Frame, LayerError};

pub(super) struct Flight<D, E> {
    key: AnswerKey,
    begun: Instant,
    /// In which era of the cache.
    era: u64,
    /// The leader's settings; the layers inside have its deadline.
    leaders: Order,
    /// The cache that stores the response.
    cache: Cache<D>,
    /// The table it stands in.
    table: Option<Arc<Flights<D, E>>>,
    board: Arc<Board<D, E>>,
    waker: Waker,
    /// Locked by the reader that polls it. No reader waits for the lock.
    call: Mutex<Option<BoxDrive<D, E>>>,
}

impl<D, E> Flight<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    fn new(key: AnswerKey, leaders: Order, cache: Cache<D>, table: Option<Arc<Flights<D, E>>>) -> Self {
        let board = Arc::new(Board::new());
        Self {
            key,
            begun: Instant::now(),
            era: cache.era(),
            leaders,
            cache,
            table,
            waker: Waker::from(Arc::clone(&board)),
            board,
            call: Mutex::new(None),
        }
    }

    /// The slot of the call. Readers that join before it is filled wait.
    fn place(&self) -> MutexGuard<'_, Option<BoxDrive<D, E>>> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one step, unless another reader is polling; ready if there may be something new to read.
    fn poll_step(&self, slot: usize) -> Poll<()> {
        let mut call = match self.call.try_lock() {
            Ok(call) => call,
            Err(TryLockError::Poisoned(_)) => return self.broke(),
            Err(TryLockError::WouldBlock) => {
                // Set before the second look, so that the reader that is polling now sees it afterwards.
                self.board.contend();
                match self.call.try_lock() {
                    Ok(call) => call,
                    Err(TryLockError::Poisoned(_)) => return self.broke(),
                    Err(TryLockError::WouldBlock) => return Poll::Pending,
                }
            }
        };
        let Some(driven) = call.as_mut() else {
            return Poll::Ready(());
        };
        self.board.poll_begins();
        let step = driven.as_mut().poll_step(&mut Context::from_waker(&self.waker));
        let Poll::Ready(step) = step else {
            drop(call);
            self.board.wake_contenders();
            return Poll::Pending;
        };
        let ended = self.write(step).then(|| call.take());
        drop(call);
        self.board.wake(Some(slot));
        // Closes the connection, with no lock held.
        drop(ended);
        Poll::Ready(())
    }

    /// Records a step, and returns whether it was the last.
    fn write(&self, step: Step<D, E>) -> bool {
        let ended = match step {
            Step::Head(parts, ended) => {
                let head = Head::of(&parts);
                if head.is_personal() {
                    self.leave_table();
                }
                let mut state = self.board.lock();
                state.head = Some(Arc::new(head));
                state.parts = Some(parts);
                ended
            }
            Step::Piece(piece, ended) => {
                let mut state = self.board.lock();
                let was_outgrown = state.outgrown;
                state.push(piece, self.cache.largest_kept());
                let outgrew = state.outgrown && !was_outgrown;
                // What follows all the same is cached with the end.
                let is_complete = state.has_last && state.cached.is_none() && !ended;
                drop(state);
                if outgrew {
                    self.leave_table();
                }
                if is_complete {
                    // The readers may leave behind its last frame; if they stay, the connection is read to its end.
                    self.keep();
                }
                ended
            }
            Step::End => true,
            Step::Failed(error) => {
                self.leave_table();
                self.fail(error);
                return true;
            }
        };
        if ended {
            self.finish();
        }
        ended
    }

    /// It is whole: caches it if it qualifies, and only then leaves the table, so that no call slips in between.
    fn finish(&self) {
        self.keep();
        self.board.lock().end = Some(End::Whole);
        self.leave_table();
    }

    /// Caches it if it qualifies, and if it is not cached as it is.
    fn keep(&self) {
        // With an idempotency key it is kept elsewhere.
        if self.leaders.one_key.is_none()
            && let Some(entry) = self.entry()
        {
            self.cache.keep(self.key, entry);
        }
    }

    fn entry(&self) -> Option<Entry<D>> {
        let mut state = self.board.lock();
        let head = state.head.clone().filter(|head| head.is_cacheable())?;
        let count = state.pieces.len();
        if state.outgrown || state.cut_short || !state.finished || state.cached == Some(count) {
            return None;
        }
        state.cached = Some(count);
        let pieces: Vec<_> = state.pieces.iter().cloned().collect();
        drop(state);
        Entry::new(head, &pieces, (self.begun, self.era))
    }

    /// The leader gets the error itself. The others get an equivalent, or none if it says nothing about them.
    fn fail(&self, error: E) {
        let mut state = self.board.lock();
        let personal = self.is_personal(&error);
        let others = state.readers.count() - usize::from(state.has_leader);
        let copies = (0..others).filter_map(|_| match (personal, shown(&state)) {
            (false, _) => Some(error.for_coalesced()),
            (true, false) => None,
            // Too late to call again. They see an interrupted stream.
            (true, true) => Some(broken_off(error.summary()).into()),
        });
        let others = copies.collect();
        state.end = Some(End::Failed {
            leaders: Some(error),
            others,
        });
    }

    /// Whether it failed for the leader's own reasons: also if its deadline left no time for the rest.
    fn is_personal(&self, error: &E) -> bool {
        let next = || Instant::now().checked_add(error.retry_after().unwrap_or(Duration::ZERO));
        let late = |deadline| next().is_none_or(|next| deadline <= next);
        error.is_personal() || self.leaders.deadline.is_some_and(late)
    }

    fn broke(&self) -> Poll<()> {
        self.leave_table();
        self.board.lock().end.get_or_insert(End::Broken);
        Poll::Ready(())
    }
}

impl<D, E> Flight<D, E> {
    fn leave_table(&self) {
        if let Some(table) = &self.table {
            table.remove(&self.key, self);
        }
    }
}

impl<D, E> Drop for Flight<D, E> {
    fn drop(&mut self) {
        self.leave_table();
    }
}

/// Whether the answer has begun.
const fn shown<D, E>(state: &State<D, E>) -> bool {
    state.head.is_some()
}

/// The inner service panicked under the caller that polled it.
pub(super) fn broken() -> LayerError {
    failed(FailureKind::Internal, "it panicked".to_owned())
}

fn broken_off(summary: String) -> LayerError {
    failed(FailureKind::Truncated, summary)
}

fn failed(kind: FailureKind, summary: String) -> LayerError {
    LayerError::CoalescedFailure {
        kind,
        status: None,
        retry_after: None,
        summary,
    }
}
