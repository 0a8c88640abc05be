//! What a response says of the upstream's limits.

use std::time::Duration;

/// How little is left of a limit of the upstream, by the headers of a success. The transport puts it into the extensions of the response, if
/// the headers say so readably: what is unknown is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitStatus {
    /// Calls that are left until the reset.
    pub remaining: u64,
    /// How many calls there are between two resets, if that is known.
    pub limit: Option<u64>,
    /// The time to the reset.
    pub reset: Duration,
}

/// However far the reset is, one call in so long finds out whether it is true.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Without a known limit, so many calls are few.
const FEW: u64 = 5;

impl RateLimitStatus {
    /// So many calls are left of this limit, if it is known, until the reset.
    #[must_use]
    pub const fn new(remaining: u64, limit: Option<u64>, reset: Duration) -> Self {
        Self {
            remaining,
            limit,
            reset,
        }
    }

    /// The time between calls by which what is left lasts until the reset; `None` while there is plenty: a tenth of the limit.
    pub(crate) fn gap(&self) -> Option<Duration> {
        let few = self.limit.map_or(FEW, |limit| limit / 10);
        if self.remaining > few || self.reset.is_zero() {
            return None;
        }
        let calls = u32::try_from(self.remaining).unwrap_or(u32::MAX).saturating_add(1);
        Some((self.reset / calls).min(LONGEST_GAP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_little_slows_down() {
        let gap = |remaining, limit| {
            let reset = Duration::from_secs(60);
            let status = RateLimitStatus {
                remaining,
                limit,
                reset,
            };
            status.gap().map(|gap| gap.as_secs())
        };
        assert_eq!((gap(6, None), gap(5, None), gap(0, None)), (None, Some(10), Some(60)));
        assert_eq!((gap(21, Some(200)), gap(19, Some(200))), (None, Some(3)));
        assert_eq!(gap(u64::MAX, Some(u64::MAX)), None);
    }
}
