//! What a coalesced call has received so far, and the readers that wait for more.

use std::{
    collections::VecDeque,
    sync::{Arc, MutexGuard},
    task::{Context, Poll, Wake},
};

use http::{Response, response::Parts};

use super::readers::Readers;
use crate::{
    Frame, LayerError, Stage,
    cache::entry::{Head, Piece},
    util::Lock,
};

/// Written by the reader that polls the call, read by all. As a waker it wakes all waiting readers.
pub(super) struct Board<D, E>(Lock<State<D, E>>);

pub(super) struct State<D, E> {
    pub(super) head: Option<Arc<Head>>,
    /// The head with all that came, for the leader.
    pub(super) parts: Option<Parts>,
    pub(super) pieces: VecDeque<Piece<D>>,
    /// How many pieces before these are gone.
    pub(super) gone: usize,
    /// Bytes of the pieces that are here.
    pub(super) bytes: usize,
    /// The last sign of life, the number of pieces before it, and how many there were. It is passed to readers that have read these
    /// pieces, and not cached.
    pulse: Option<(D, usize)>,
    pulses: u64,
    /// Whether the end of the answer was among the pieces.
    pub(super) finished: bool,
    /// Whether nothing follows these pieces, though the call may not have ended.
    pub(super) has_last: bool,
    /// How many pieces there were when the answer was cached, if it was.
    pub(super) cached: Option<usize>,
    /// It ended at a limit or in a filter: another call may get all of it.
    pub(super) cut_short: bool,
    /// Whether it is larger than what may be cached.
    pub(super) outgrown: bool,
    pub(super) end: Option<End<E>>,
    pub(super) readers: Readers,
    pub(super) has_leader: bool,
    /// Whether a reader tried to poll the call while another reader polled it.
    contended: bool,
    /// Whether the call wants to be polled: from the start, and whenever its waker was called since the last poll began.
    wants_poll: bool,
}

/// How a call ended.
pub(super) enum End<E> {
    Whole,
    /// The leader's error, and one for each of the others; a reader without one calls again.
    Failed {
        leaders: Option<E>,
        others: Vec<E>,
    },
    /// The reader that polled it panicked.
    Broken,
}

/// A reader's position.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReaderPosition {
    pub(super) slot: usize,
    pub(super) next: usize,
    pub(super) pulses: u64,
    pub(super) leads: bool,
}

/// What a reader finds.
pub(super) enum Found<T, E> {
    Some(T),
    End,
    Failed(E),
    /// It failed for a reason of the leader's own.
    Retry,
    /// Nothing yet: the reader's waker will be called.
    Nothing,
}

impl<D, E> Board<D, E> {
    pub(super) fn new() -> Self {
        let mut readers = Readers::default();
        // The leader's slot, 0.
        readers.join();
        Self(Lock::new(State {
            head: None,
            parts: None,
            pieces: VecDeque::new(),
            gone: 0,
            bytes: 0,
            pulse: None,
            pulses: 0,
            finished: false,
            has_last: false,
            cached: None,
            cut_short: false,
            outgrown: false,
            end: None,
            readers,
            has_leader: true,
            contended: false,
            wants_poll: true,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<D, E>> {
        self.0.lock()
    }

    /// Wakes all waiting readers but one. Never with the lock held: a waker may run any code.
    pub(super) fn wake(&self, but: Option<usize>) {
        let mut from = 0;
        loop {
            let next = self.lock().readers.next_waiting(from, but);
            let Some((slot, waker)) = next else { return };
            waker.wake();
            from = slot + 1;
        }
    }

    pub(super) fn contend(&self) {
        self.lock().contended = true;
    }

    /// A poll begins: from here on a wake-up means that the call wants another poll.
    pub(super) fn poll_begins(&self) {
        self.lock().wants_poll = false;
    }

    /// Wakes the readers that tried to poll the call in vain, if it wants to be polled: otherwise they are woken with all others, and would
    /// only contend for the lock.
    pub(super) fn wake_contenders(&self) {
        let mut state = self.lock();
        let wakes = std::mem::take(&mut state.contended) && state.wants_poll;
        drop(state);
        if wakes {
            self.wake(None);
        }
    }
}

impl<D: Send + 'static, E: Send + 'static> Wake for Board<D, E> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.lock().wants_poll = true;
        Self::wake(self, None);
    }
}

impl<D: Frame + Clone, E> State<D, E> {
    /// Writes a piece down. `most`: how many bytes are kept at most.
    pub(super) fn push(&mut self, piece: Piece<D>, most: usize) {
        if let Piece::Data(data) = &piece {
            if data.stage() == Stage::KeepAlive {
                self.pulse = Some((data.clone(), self.gone + self.pieces.len()));
                self.pulses += 1;
                return;
            }
            if data.finishes_answer() {
                self.finished = true;
                self.cut_short |= data.is_cut_short();
            }
            self.has_last |= self.finished && data.is_last();
        }
        self.bytes = self.bytes.saturating_add(piece.size_in_bytes());
        self.pieces.push_back(piece);
        self.outgrown |= self.bytes > most;
        if !self.outgrown {
            return;
        }
        // A lone reader has read all but the last. Of several, the slowest may be cut off; never from the very last piece, so
        // that an answer of one piece reaches all, whatever its size.
        while self.pieces.len() > 1 && (self.readers.count() == 1 || self.bytes > most) {
            let Some(first) = self.pieces.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(first.size_in_bytes());
            self.gone += 1;
        }
    }

    pub(super) fn read(&mut self, place: &mut ReaderPosition, cx: &Context<'_>, most: usize) -> Found<Piece<D>, E>
    where
        E: From<LayerError>,
    {
        let Some(index) = place.next.checked_sub(self.gone) else {
            return Found::Failed(LayerError::Lagged { limit: most }.into());
        };
        if let Some(piece) = self.pieces.get(index) {
            place.next += 1;
            return Found::Some(piece.clone());
        }
        if self.end.is_some() {
            return self.ended(*place);
        }
        if place.pulses < self.pulses
            && let Some((pulse, behind)) = &self.pulse
            && *behind == place.next
        {
            place.pulses = self.pulses;
            return Found::Some(Piece::Data(pulse.clone()));
        }
        self.readers.wait(place.slot, cx.waker());
        Found::Nothing
    }
}

impl<D, E> State<D, E> {
    pub(super) fn begin(&mut self, place: ReaderPosition, cx: &Context<'_>) -> Found<Begun, E> {
        if place.leads
            && let Some(parts) = self.parts.take()
        {
            return Found::Some(Begun::Leading(Box::new(parts)));
        }
        if let Some(head) = &self.head {
            if !place.leads && head.is_personal() {
                return Found::Retry;
            }
            return Found::Some(Begun::Sharing(Arc::clone(head)));
        }
        if self.end.is_some() {
            return self.ended(place);
        }
        self.readers.wait(place.slot, cx.waker());
        Found::Nothing
    }

    fn ended<T>(&mut self, place: ReaderPosition) -> Found<T, E> {
        match &mut self.end {
            Some(End::Whole) => Found::End,
            Some(End::Failed { leaders, .. }) if place.leads => leaders.take().map_or(Found::Retry, Found::Failed),
            Some(End::Failed { others, .. }) => others.pop().map_or(Found::Retry, Found::Failed),
            Some(End::Broken) => Found::Retry,
            None => Found::Nothing,
        }
    }

    /// Whether others may join: all of the answer so far is here, and there is more to come.
    pub(super) const fn is_open(&self) -> bool {
        self.end.is_none() && !self.outgrown
    }

    /// Whether this reader has read all of an answer that is whole.
    pub(super) fn is_read(&self, place: ReaderPosition) -> bool {
        matches!(self.end, Some(End::Whole)) && place.next == self.gone + self.pieces.len()
    }
}

/// The head, as it is for the leader and for the others.
pub(in crate::cache) enum Begun {
    Leading(Box<Parts>),
    Sharing(Arc<Head>),
}

impl Begun {
    /// The response with this body.
    pub(in crate::cache) fn response<B>(self, body: B) -> Response<B> {
        match self {
            Self::Leading(parts) => Response::from_parts(*parts, body),
            Self::Sharing(head) => head.response(body),
        }
    }
}

/// A poll's result, of what was found.
pub(super) fn polled<T, E>(found: Found<T, E>) -> Poll<Found<T, E>> {
    match found {
        Found::Nothing => Poll::Pending,
        found => Poll::Ready(found),
    }
}
