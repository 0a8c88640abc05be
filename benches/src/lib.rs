//! Shared parts of the measurements: allocations, counted.
//!
//! Each target that links this crate runs on a counting allocator, which makes each allocation a few
//! nanoseconds slower. So a target that takes times should not link it, or it flatters code that
//! allocates less: times belong in `benches/`, counts in `tests/` or in a bench of their own.

use std::fmt;

/// What one call allocated, on average, on the thread that made it.
///
/// Shown as `2 allocations, 96 bytes`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allocations {
    /// How often memory was requested. Growing a buffer in place counts, too.
    pub count: f64,
    /// How many bytes were requested in all, whether or not they were released.
    pub bytes: f64,
}

impl Allocations {
    /// Whether nothing was allocated at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.count <= 0.0
    }
}

impl fmt::Display for Allocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // At most two decimals, without trailing zeros.
        let [count, bytes] = [self.count, self.bytes].map(|value| (value * 100.0).round() / 100.0);
        write!(f, "{count} allocations, {bytes} bytes")
    }
}

/// Makes `calls` calls and gives what they allocated per call.
///
/// Only the calling thread is watched: drive futures on it (a current-thread runtime does). What
/// the first calls set up once is no part of a steady state; make some calls beforehand.
///
/// ```
/// let per_call = tower_openrouter_benches::allocations(100, || {
///     std::hint::black_box(Vec::<u8>::with_capacity(64));
/// });
/// assert_eq!(per_call.to_string(), "1 allocations, 64 bytes");
/// ```
pub fn allocations(calls: u32, mut call: impl FnMut()) -> Allocations {
    let counted = allocation_counter::measure(|| {
        for _ in 0..calls {
            call();
        }
    });
    Allocations {
        count: per_call(counted.count_total, calls),
        bytes: per_call(counted.bytes_total, calls),
    }
}

/// Exact up to 2^53, which no measurement reaches.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn per_call(total: u64, calls: u32) -> f64 {
    total as f64 / f64::from(calls.max(1))
}
