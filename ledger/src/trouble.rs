//! A trouble with the database: how often it failed, when that is logged again, and how long to wait.

use std::time::Duration;

use tokio::time::Instant;

use crate::{LedgerError, place::Place};

/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    failures: u64,
    since: Option<Instant>,
}

impl Trouble {
    /// Counts a failure, tells of it at each doubling, and says how long to wait.
    pub(crate) fn failed(&mut self, place: &Place, error: &LedgerError, waiting: usize) -> Duration {
        self.failures += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.failures.is_power_of_two() {
            tracing::error!(
                target: "llm::ledger",
                %place,
                %error,
                failures = self.failures,
                seconds = since.elapsed().as_secs(),
                waiting,
                "the ledger is not written: trying again"
            );
        }
        let doublings = u32::try_from(self.failures - 1).unwrap_or(u32::MAX).min(16);
        FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT)
    }

    /// Tells once that a trouble is over.
    pub(crate) fn over(&mut self, place: &Place) {
        let Self { failures, since } = std::mem::take(self);
        if let Some(since) = since {
            tracing::info!(
                target: "llm::ledger",
                %place,
                failures,
                seconds = since.elapsed().as_secs(),
                "the ledger is written again"
            );
        }
    }
}
