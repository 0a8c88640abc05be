//! Random choices that a seed decides.

use std::{ops::Range, time::Duration};

/// A generator of choices.
pub(crate) struct Draw(fastrand::Rng);

impl Draw {
    /// The choices of one purpose: equal seeds and purposes make equal choices, whatever was drawn elsewhere.
    pub(crate) fn of(seed: u64, purpose: &[u64]) -> Self {
        let mixed = purpose.iter().fold(seed ^ 0x9e37_79b9_7f4a_7c15, |mixed, part| {
            let mixed = (mixed ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed ^ (mixed >> 29)
        });
        Self(fastrand::Rng::with_seed(mixed))
    }

    /// True in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.0.u32(0..100) < percent
    }

    pub(crate) fn number(&mut self, range: Range<u64>) -> u64 {
        self.0.u64(range)
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.0.usize(0..length)
    }

    pub(crate) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.number(range))
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())].clone()
    }

    /// One of these, as likely as its weight says.
    pub(crate) fn weighed<T: Clone>(&mut self, of: &[(u32, T)]) -> T {
        let mut left = self.0.u32(0..of.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in of {
            if left < *weight {
                return value.clone();
            }
            left -= weight;
        }
        of[0].1.clone()
    }

    /// This in so many of a hundred cases.
    pub(crate) fn maybe<T>(&mut self, percent: u32, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }
}
