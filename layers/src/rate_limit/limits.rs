//! What can be limited, and how much of it.

use std::{fmt, num::NonZeroU32, time::Duration};

use governor::Quota;

/// The default burst: the part of an amount that may come at once.
const BURST: u32 = 10;

/// So much in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    amount: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

/// Limits of one key; each that is not set is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Requests.
    pub requests: Option<Rate>,
    /// Tokens, of prompts and answers together.
    pub tokens: Option<Rate>,
    /// Calls at once, their streams included.
    pub concurrency: Option<NonZeroU32>,
}

/// Why limits make no sense. Names the field, what is wrong with it, and the fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitsError {
    /// An amount of zero would always refuse everything.
    ZeroAmount,
    /// No time at all, or so much that one unit takes longer than a clock can count.
    Interval,
    /// A burst of zero would always refuse everything.
    ZeroBurst,
    /// No concurrent call would always refuse everything.
    ZeroConcurrency,
    /// There is no limit in them.
    NoLimit,
    /// No key could be held.
    ZeroKeys,
}

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ZeroAmount => "`amount` of a rate is 0, which refuses everything: give at least 1",
            Self::Interval => "`per` of a rate is zero or too long: give a time such as 60 s",
            Self::ZeroBurst => "`burst` of a rate is 0, which refuses everything: give at least 1",
            Self::ZeroConcurrency => "`concurrency` is 0, which refuses everything: give at least 1",
            Self::NoLimit => "the limits are empty: set `requests`, `tokens` or `concurrency`, or leave the layer out",
            Self::ZeroKeys => "`max_keys` is 0: give at least 1",
        })
    }
}

impl std::error::Error for LimitsError {}

impl Rate {
    /// `amount` in `per`; a tenth of it may come at once.
    ///
    /// # Errors
    ///
    /// Where either is zero, or `per` is too long to be counted.
    pub fn new(amount: u32, per: Duration) -> Result<Self, LimitsError> {
        let amount = NonZeroU32::new(amount).ok_or(LimitsError::ZeroAmount)?;
        let burst = NonZeroU32::new(amount.get() / BURST).unwrap_or(NonZeroU32::MIN);
        let rate = Self { amount, per, burst };
        // A unit's own time is what governor counts in; a century of them at once still fits.
        let counted = Quota::with_period(per / amount.get()).is_some() && per < Duration::from_secs(400 * 24 * 60 * 60);
        counted.then_some(rate).ok_or(LimitsError::Interval)
    }

    /// How much may come at once after a quiet time. As much as the amount itself admits twice the amount in the first
    /// interval.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn burst(mut self, burst: u32) -> Result<Self, LimitsError> {
        self.burst = NonZeroU32::new(burst).ok_or(LimitsError::ZeroBurst)?;
        Ok(self)
    }

    /// How much.
    #[must_use]
    pub const fn amount(&self) -> u32 {
        self.amount.get()
    }

    /// In how long.
    #[must_use]
    pub const fn per(&self) -> Duration {
        self.per
    }

    /// How much may come at once.
    #[must_use]
    pub const fn most_at_once(&self) -> u32 {
        self.burst.get()
    }

    pub(super) fn quota(&self) -> Option<Quota> {
        Some(Quota::with_period(self.per / self.amount.get())?.allow_burst(self.burst))
    }
}

impl Limits {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits requests.
    #[must_use]
    pub const fn requests(mut self, rate: Rate) -> Self {
        self.requests = Some(rate);
        self
    }

    /// Limits tokens, of prompts and answers together.
    #[must_use]
    pub const fn tokens(mut self, rate: Rate) -> Self {
        self.tokens = Some(rate);
        self
    }

    /// Limits calls at once.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn concurrency(mut self, calls: u32) -> Result<Self, LimitsError> {
        self.concurrency = Some(NonZeroU32::new(calls).ok_or(LimitsError::ZeroConcurrency)?);
        Ok(self)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.concurrency.is_none()
    }

    /// How long a key must be quiet to be as good as new.
    pub(super) fn memory(&self) -> Duration {
        let refill = |rate: Rate| (rate.per / rate.amount.get()).saturating_mul(rate.burst.get());
        [self.requests, self.tokens]
            .into_iter()
            .flatten()
            .map(refill)
            .max()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_refuse_everything_is_refused() {
        let minute = Duration::from_secs(60);
        assert_eq!(Rate::new(0, minute), Err(LimitsError::ZeroAmount));
        assert_eq!(Rate::new(1, Duration::ZERO), Err(LimitsError::Interval));
        assert_eq!(Rate::new(1, Duration::MAX), Err(LimitsError::Interval));
        assert_eq!(Rate::new(u32::MAX, Duration::from_nanos(1)), Err(LimitsError::Interval));
        assert_eq!(
            Rate::new(1, minute).and_then(|rate| rate.burst(0)),
            Err(LimitsError::ZeroBurst)
        );
        assert_eq!(Limits::new().concurrency(0), Err(LimitsError::ZeroConcurrency));
        assert!(LimitsError::ZeroAmount.to_string().contains("at least 1"));
    }

    #[test]
    fn the_burst_is_small_by_default() {
        let rate = |amount| Rate::new(amount, Duration::from_secs(60)).unwrap().most_at_once();
        assert_eq!((rate(600), rate(5)), (60, 1));
    }
}
