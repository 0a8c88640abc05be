//! The readers of a coalesced call, and which of them wait.

use std::task::Waker;

/// A slot for each reader, with a waker in it while it waits.
#[derive(Debug, Default)]
pub(super) struct Readers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Readers {
    /// A slot for one more.
    pub(super) fn join(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        })
    }

    pub(super) fn leave(&mut self, slot: usize) -> Option<Waker> {
        self.free.push(slot);
        self.slots.get_mut(slot)?.take()
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn wait(&mut self, slot: usize, waker: &Waker) {
        let Some(place) = self.slots.get_mut(slot) else { return };
        match place {
            Some(known) => known.clone_from(waker),
            None => *place = Some(waker.clone()),
        }
    }

    /// The next waiting reader, at this slot or after it.
    pub(super) fn next_waiting(&mut self, from: usize, but: Option<usize>) -> Option<(usize, Waker)> {
        let slots = self.slots.iter_mut().enumerate().skip(from);
        slots
            .filter(|(slot, _)| Some(*slot) != but)
            .find_map(|(slot, place)| place.take().map(|waker| (slot, waker)))
    }
}
