//! One reader of a coalesced call.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    Flight, Order,
    board::{Begun, Found, ReaderPosition, polled},
    broken_off,
};
use crate::{
    Failure, Frame, LayerError, Priority,
    cache::{AnswerKey, entry::Piece},
};

/// Dropping it wakes the others, since it may have been the reader that polled.
pub(in crate::cache) struct Reader<D, E> {
    flight: Arc<Flight<D, E>>,
    place: ReaderPosition,
    joined_after: Option<Duration>,
}

/// Why there is no answer.
pub(in crate::cache) enum Lost<E> {
    Failed(E),
    /// It failed for a reason of the leader's own.
    Retry,
}

impl<D, E> Reader<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// The reader that made the call.
    pub(super) const fn leading(flight: Arc<Flight<D, E>>) -> Self {
        let place = ReaderPosition {
            slot: 0,
            next: 0,
            pulses: 0,
            leads: true,
        };
        Self {
            flight,
            place,
            joined_after: None,
        }
    }

    /// One more reader; `Err` if the call has ended, or would make an interactive caller wait like a batch.
    pub(super) fn joining(flight: Arc<Flight<D, E>>, order: Order) -> Result<Self, Arc<Flight<D, E>>> {
        // With an idempotency key there is one call, whatever the priorities.
        let is_batch = order.one_key.is_none()
            && (order.priority, flight.leaders.priority) == (Priority::Interactive, Priority::Batch);
        let mut state = flight.board.lock();
        let is_forgotten = flight.cache.is_forgotten(&flight.key, flight.era);
        if !state.is_open() || is_forgotten || (is_batch && state.head.is_none()) {
            drop(state);
            return Err(flight);
        }
        let slot = state.readers.join();
        drop(state);
        let place = ReaderPosition {
            slot,
            next: 0,
            pulses: 0,
            leads: false,
        };
        Ok(Self {
            joined_after: Some(flight.begun.elapsed()),
            flight,
            place,
        })
    }

    pub(in crate::cache) fn key(&self) -> AnswerKey {
        self.flight.key
    }

    /// How long the call had been under way when this one joined it; `None` for the one that made it.
    pub(in crate::cache) const fn joined_after(&self) -> Option<Duration> {
        self.joined_after
    }

    pub(in crate::cache) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Begun, Lost<E>>> {
        loop {
            let found = self.flight.board.lock().begin(self.place, cx);
            if let Poll::Ready(found) = polled(found) {
                return Poll::Ready(match found {
                    Found::Some(begun) => Ok(begun),
                    Found::Failed(error) => Err(Lost::Failed(error)),
                    Found::Retry | Found::End | Found::Nothing => Err(Lost::Retry),
                });
            }
            ready!(self.flight.poll_step(self.place.slot));
        }
    }

    pub(in crate::cache) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Piece<D>, E>>> {
        loop {
            let most = self.flight.cache.largest_kept();
            let found = self.flight.board.lock().read(&mut self.place, cx, most);
            if let Poll::Ready(found) = polled(found) {
                return Poll::Ready(match found {
                    Found::Some(piece) => Some(Ok(piece)),
                    Found::Failed(error) => Some(Err(error)),
                    Found::End => None,
                    Found::Retry | Found::Nothing => Some(Err(broken_off("it was interrupted".to_owned()).into())),
                });
            }
            ready!(self.flight.poll_step(self.place.slot));
        }
    }
}

impl<D: Frame + Clone, E> Reader<D, E> {
    /// Whether all is read of an answer that is whole.
    pub(in crate::cache) fn is_read(&self) -> bool {
        self.flight.board.lock().is_read(self.place)
    }
}

impl<D, E> Drop for Reader<D, E> {
    fn drop(&mut self) {
        let mut state = self.flight.board.lock();
        let waker = state.readers.leave(self.place.slot);
        state.has_leader &= !self.place.leads;
        drop(state);
        // A waker may do anything, so not with the lock held.
        drop(waker);
        self.flight.board.wake(None);
    }
}
