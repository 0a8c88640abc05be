//! Calls in progress whose answer is long in coming.

use std::time::Duration;

use super::open::Facts;

/// Calls in progress whose answer has not begun for long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) streams: u64,
    pub(crate) plain: u64,
    /// How long the first of them has waited.
    pub(crate) longest: Duration,
}

/// From which time on a call counts as one that waits for long; `None` for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongWaits {
    pub(crate) stream: Option<Duration>,
    pub(crate) plain: Option<Duration>,
}

impl LongWaits {
    /// The shorter of both.
    pub(super) fn least(&self) -> Option<Duration> {
        self.stream.into_iter().chain(self.plain).min()
    }

    /// Those of these calls that have waited for so long.
    pub(super) fn count<'a>(&self, open: impl IntoIterator<Item = &'a Facts>) -> Waiting {
        let mut waiting = Waiting::default();
        for facts in open {
            let Some(is_stream) = facts.is_waiting_stream() else {
                continue;
            };
            let (count, limit) = if is_stream {
                (&mut waiting.streams, self.stream)
            } else {
                (&mut waiting.plain, self.plain)
            };
            let waited = facts.elapsed();
            if limit.is_some_and(|limit| waited >= limit) {
                *count += 1;
                waiting.longest = waiting.longest.max(waited);
            }
        }
        waiting
    }
}
