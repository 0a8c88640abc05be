//! A bounded amount that calls and time fill in parts, and that exceptions such as retries and hedges empty one by one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One whole, in the parts that an amount counts in.
const ONE: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Share {
    /// In parts.
    left: AtomicU64,
    most: u64,
}

impl Share {
    /// With so many at first, and at most so many.
    pub(crate) fn new(first: f64, most: f64) -> Self {
        Self {
            left: AtomicU64::new(parts(first.min(most))),
            most: parts(most),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "it holds far fewer parts than 2^53")]
    pub(crate) fn left(&self) -> f64 {
        self.left.load(Relaxed) as f64 / ONE as f64
    }

    /// Puts in so much, up to the bound. One that is full, or gets nothing, is read and not written.
    pub(crate) fn add(&self, more: f64) {
        let more = parts(more);
        let _full = self.left.fetch_update(Relaxed, Relaxed, |left| {
            let sum = left.saturating_add(more).min(self.most);
            (sum != left).then_some(sum)
        });
    }

    /// Takes out a whole one, if it is there.
    pub(crate) fn take(&self) -> bool {
        let take = |left: u64| left.checked_sub(ONE);
        self.left.fetch_update(Relaxed, Relaxed, take).is_ok()
    }
}

/// Rounded to the nearest part.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a cast of a float saturates, NaN is zero, and nothing here is below zero"
)]
fn parts(whole: f64) -> u64 {
    (whole * ONE as f64).round() as u64
}
