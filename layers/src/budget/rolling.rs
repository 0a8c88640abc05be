//! What was spent in a rolling window, by when it is free again. Nothing here waits or locks.

use std::collections::VecDeque;

use crate::UsdAmount;

/// The parts of a rolling window: an amount counts up to one part longer than the window.
pub(super) const PARTS: u64 = 30;

/// The most slices there are, however often the length of the window is changed.
const MOST: usize = 64;

/// Amounts by the end of the part of the window in which they were spent, the earliest first. All times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Slices {
    /// The length of the window; 0 if it is none that rolls.
    length: u64,
    slices: VecDeque<(u64, UsdAmount)>,
}

impl Slices {
    /// An empty window of this length.
    pub(super) const fn new(length: u64) -> Self {
        Self {
            length,
            slices: VecDeque::new(),
        }
    }

    /// The length of the window; 0 if it is none that rolls.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Another length, from now on.
    pub(super) const fn set_length(&mut self, length: u64) {
        self.length = length;
    }

    /// The end of the part in which this instant lies.
    fn end_of(&self, at: u64) -> u64 {
        let part = (self.length / PARTS).max(1);
        (at / part).saturating_add(1).saturating_mul(part)
    }

    /// This much was spent then.
    pub(super) fn add(&mut self, at: u64, amount: UsdAmount) {
        if amount <= UsdAmount::ZERO {
            return;
        }
        let end = self.end_of(at);
        let place = self.slices.partition_point(|(other, _)| *other < end);
        match self.slices.get_mut(place) {
            Some((other, sum)) if *other == end => *sum = sum.saturating_add(amount),
            _ => self.slices.insert(place, (end, amount)),
        }
        // The two earliest become one that is free with the later of both.
        if self.slices.len() > MOST
            && let Some((_, first)) = self.slices.pop_front()
            && let Some((_, next)) = self.slices.front_mut()
        {
            *next = next.saturating_add(first);
        }
    }

    /// Takes back what was spent too much: first from what was spent then, then from what is free again first.
    pub(super) fn take(&mut self, at: u64, amount: UsdAmount) {
        let end = self.end_of(at);
        let mut left = amount;
        let own = self.slices.iter_mut().filter(|(other, _)| *other == end);
        for (_, sum) in own {
            let part = left.min(*sum);
            *sum = sum.saturating_sub(part);
            left = left.saturating_sub(part);
        }
        for (_, sum) in &mut self.slices {
            let part = left.min(*sum);
            *sum = sum.saturating_sub(part);
            left = left.saturating_sub(part);
        }
        self.slices.retain(|(_, sum)| *sum > UsdAmount::ZERO);
    }

    /// Drops what was spent longer ago than the window, and says how much that is.
    pub(super) fn expire(&mut self, now: u64) -> UsdAmount {
        let mut sum = UsdAmount::ZERO;
        while let Some((end, amount)) = self.slices.front().copied() {
            if end.saturating_add(self.length) > now {
                break;
            }
            sum = sum.saturating_add(amount);
            self.slices.pop_front();
        }
        sum
    }

    /// All of it was spent now: the clock has gone back behind it.
    pub(super) fn rebase(&mut self, now: u64) {
        let sum = self
            .slices
            .drain(..)
            .fold(UsdAmount::ZERO, |sum, (_, amount)| sum.saturating_add(amount));
        self.add(now, sum);
    }

    /// When this much of it is free again; `None` if there is not so much.
    pub(super) fn frees(&self, amount: UsdAmount) -> Option<u64> {
        let mut sum = UsdAmount::ZERO;
        for (end, part) in &self.slices {
            sum = sum.saturating_add(*part);
            if sum >= amount {
                return Some(end.saturating_add(self.length));
            }
        }
        None
    }

    /// When all of it is free again.
    pub(super) fn last(&self) -> Option<u64> {
        self.slices.back().map(|(end, _)| end.saturating_add(self.length))
    }
}
