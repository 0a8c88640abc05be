//! The settings of learned limits, and what is wrong with them.

use std::fmt;

/// How the concurrency limit is learnt. The same for every candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConcurrencyPolicy {
    pub(super) initial: u32,
    pub(super) floor: u32,
    pub(super) ceiling: u32,
    pub(super) queue: usize,
    pub(super) decrease: f64,
    pub(super) slower: f64,
}

/// Why a policy makes no sense. Names the field, what is wrong with it, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConcurrencyError {
    /// A floor of zero lets nothing through.
    ZeroFloor,
    /// The three are not in order.
    Order {
        /// The least.
        floor: u32,
        /// The first.
        initial: u32,
        /// The most.
        ceiling: u32,
    },
    /// A decrease that is none, or leaves nothing.
    Decrease,
    /// A tolerance below what is usual.
    Slower,
}

impl fmt::Display for ConcurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroFloor => {
                f.write_str("`floor` of the adaptive concurrency is 0, so that nothing would pass: give 1 or more")
            }
            Self::Order {
                floor,
                initial,
                ceiling,
            } => write!(
                f,
                "the adaptive concurrency wants `floor` ≤ `initial` ≤ `ceiling`, and has {floor}, {initial} and {ceiling}: set the \
                 others as well"
            ),
            Self::Decrease => {
                f.write_str("`decrease` of the adaptive concurrency must be above 0 and below 1, e.g. 0.7")
            }
            Self::Slower => f.write_str("`slower` of the adaptive concurrency must be 1 or more, e.g. 2"),
        }
    }
}

impl std::error::Error for ConcurrencyError {}

impl ConcurrencyPolicy {
    /// Begins with 20 at once, goes from 1 to 1000, and lets 100 wait. A rate limited or overloaded attempt takes three tenths of the
    /// limit away; so do first tokens that recently took twice as long as usual.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            initial: 20,
            floor: 1,
            ceiling: 1000,
            queue: 100,
            decrease: 0.7,
            slower: 2.0,
        }
    }

    /// How many at once before anything is learnt; 20 by default.
    #[must_use]
    pub const fn initial(mut self, attempts: u32) -> Self {
        self.initial = attempts;
        self
    }

    /// The fewest at once, however bad it is; 1 by default.
    #[must_use]
    pub const fn floor(mut self, attempts: u32) -> Self {
        self.floor = attempts;
        self
    }

    /// The most at once, however well it goes; 1000 by default.
    #[must_use]
    pub const fn ceiling(mut self, attempts: u32) -> Self {
        self.ceiling = attempts;
        self
    }

    /// How many may wait for each candidate; 100 by default. Zero refuses at once.
    #[must_use]
    pub const fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// What is left of the limit after a rate limited or overloaded attempt; 0.7 by default. Once for all attempts that were in flight
    /// together.
    #[must_use]
    pub const fn decrease(mut self, share: f64) -> Self {
        self.decrease = share;
        self
    }

    /// How many times slower than usual first tokens may come before the limit goes down; 2 by default.
    #[must_use]
    pub const fn slower(mut self, times: f64) -> Self {
        self.slower = times;
        self
    }

    pub(super) fn check(&self) -> Result<(), ConcurrencyError> {
        if self.floor == 0 {
            return Err(ConcurrencyError::ZeroFloor);
        }
        if self.floor > self.initial || self.initial > self.ceiling {
            return Err(ConcurrencyError::Order {
                floor: self.floor,
                initial: self.initial,
                ceiling: self.ceiling,
            });
        }
        // Written so that what is no number fails, too.
        if !(self.decrease > 0.0 && self.decrease < 1.0) {
            return Err(ConcurrencyError::Decrease);
        }
        if self.slower.is_nan() || self.slower < 1.0 {
            return Err(ConcurrencyError::Slower);
        }
        Ok(())
    }
}

impl Default for ConcurrencyPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ConcurrencyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} concurrent attempts per candidate at first, {} to {} later, a queue of {}",
            self.initial, self.floor, self.ceiling, self.queue
        )
    }
}
