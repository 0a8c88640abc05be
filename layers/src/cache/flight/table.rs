//! The calls under way, by key.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, Weak},
};

use tokio::time::Instant;

use super::{BoxDrive, Flight, Reader};
use foldhash::fast::RandomState;

use crate::{
    Call, Failure, Frame, LayerError, Priority,
    cache::{AnswerKey, Cache, CachedAnswer},
    util::Lock,
};

/// As many as there are calls under way: each takes itself out at its end.
pub(in crate::cache) struct Flights<D, E>(Lock<Table<D, E>>);

type Table<D, E> = HashMap<AnswerKey, Weak<Flight<D, E>>, RandomState>;

/// How a caller uses the cache.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct Order {
    /// Whether a cached or coalesced response is good enough.
    pub(in crate::cache) read: bool,
    /// Whether others may share the call.
    pub(in crate::cache) share: bool,
    /// When the caller must have an answer.
    pub(in crate::cache) deadline: Option<Instant>,
    /// Whether the call is interactive or a batch.
    pub(in crate::cache) priority: Priority,
    /// Only of a call with an idempotency key.
    pub(in crate::cache) one_key: Option<OneKey>,
}

impl Order {
    /// Of a call for which every response is good enough, and that others may share.
    pub(in crate::cache) fn of(call: &Call) -> Self {
        Self {
            read: true,
            share: true,
            deadline: call.first_token_deadline(),
            priority: call.priority(),
            one_key: None,
        }
    }
}

/// How a call with an idempotency key meets the one in flight with that key.
#[derive(Debug, Clone, Copy)]
pub(in crate::cache) struct OneKey {
    /// What its request is recognised by.
    pub(in crate::cache) request: AnswerKey,
    /// Whether it waits for the one in flight.
    pub(in crate::cache) waits: bool,
}

/// The result. A request that joined keeps what it would have called with.
pub(in crate::cache) enum Entered<D, E, Q> {
    Kept(CachedAnswer<D>),
    Joins(Reader<D, E>, Q),
    Leads(Reader<D, E>),
    /// The same idempotency key is in flight, and the call does not wait.
    Busy,
    /// Another request with its idempotency key is in flight.
    Differs,
}

impl<D, E> Flights<D, E> {
    pub(in crate::cache) fn new() -> Self {
        Self(Lock::default())
    }

    /// How many calls are under way that may be shared.
    pub(in crate::cache) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Takes this one out; another one that has come into its place stays.
    pub(super) fn remove(&self, key: &AnswerKey, flight: &Flight<D, E>) {
        let mut table = self.0.lock();
        if table.get(key).is_some_and(|known| std::ptr::eq(known.as_ptr(), flight)) {
            table.remove(key);
        }
    }
}

impl<D, E> Flights<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Joins a call in flight, or makes the call with this: for a request that found nothing cached.
    pub(in crate::cache) fn enter<Q>(
        self: &Arc<Self>,
        cache: &Cache<D>,
        (key, order): (AnswerKey, Order),
        with: Q,
        call: impl FnOnce(Q) -> BoxDrive<D, E>,
    ) -> Entered<D, E, Q> {
        if !order.share {
            let flight = Flight::new(key, order, cache.clone(), None);
            return Entered::Leads(lead(&Arc::new(flight), None, || call(with)));
        }
        // To be dropped when the table is free again: a flight may take itself out, and a frame is other people's code.
        let (mut left_alone, mut over) = (None, None);
        let mut table = self.0.lock();
        if order.read {
            let in_flight = table.get(&key).and_then(Weak::upgrade);
            if let (Some(flight), Some(own)) = (&in_flight, order.one_key) {
                let is_same = flight.leaders.one_key.is_some_and(|known| known.request == own.request);
                if !is_same || !own.waits {
                    drop(table);
                    drop(in_flight);
                    return if is_same { Entered::Busy } else { Entered::Differs };
                }
            }
            match in_flight.map(|flight| Reader::joining(flight, order)) {
                Some(Ok(reader)) => return Entered::Joins(reader, with),
                Some(Err(flight)) => left_alone = Some(flight),
                None => {}
            }
            // It may have ended since the caller's own look; it is kept before it leaves the table.
            match cache.fresh(&key) {
                Ok(kept) => return Entered::Kept(kept),
                Err(gone) => over = gone,
            }
        }
        let flight = Flight::new(key, order, cache.clone(), Some(Arc::clone(self)));
        let flight = Arc::new(flight);
        table.insert(key, Arc::downgrade(&flight));
        let reader = lead(&flight, Some(table), || call(with));
        drop((left_alone, over));
        Entered::Leads(reader)
    }
}

/// Makes the call. It is foreign code, so it does not run under the table's lock; readers that join before it is made wait.
fn lead<D, E>(
    flight: &Arc<Flight<D, E>>,
    table: Option<MutexGuard<'_, Table<D, E>>>,
    call: impl FnOnce() -> BoxDrive<D, E>,
) -> Reader<D, E>
where
    D: Frame + Clone + Send + Sync + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    // If the call panics, this reader wakes those that wait, and the poisoned lock tells them why.
    let reader = Reader::leading(Arc::clone(flight));
    let mut place = flight.place();
    drop(table);
    *place = Some(call());
    drop(place);
    flight.board.wake_contenders();
    reader
}
