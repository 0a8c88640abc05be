//! One attempt in flight, as the log of its call sees it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{Failure, Outcome, attempts::Attempt, call::Shared};

/// One attempt in flight: whatever happens to it, its line is closed.
#[derive(Debug)]
pub(crate) struct Claim {
    shared: Arc<Shared>,
    index: usize,
    pub(crate) number: u32,
    started: Instant,
    open: bool,
}

impl Claim {
    pub(crate) const fn new(shared: Arc<Shared>, index: usize, number: u32, started: Instant) -> Self {
        Self {
            shared,
            index,
            number,
            started,
            open: true,
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn began(&self) -> Duration {
        let elapsed = self.elapsed();
        self.change(|line| {
            line.outcome = Outcome::Answering;
            line.first_token = Some(elapsed);
        });
        elapsed
    }

    pub(crate) fn answered(&mut self) -> Duration {
        self.close(Outcome::Answered, |_| {})
    }

    pub(crate) fn failed<E: Failure>(&mut self, error: &E) -> Duration {
        self.close(Outcome::Failed(error.kind()), |line| {
            line.status = error.status();
            line.retry_after = error.retry_after();
            line.summary = Some(error.summary().into());
        })
    }

    fn close(&mut self, outcome: Outcome, more: impl FnOnce(&mut Attempt)) -> Duration {
        let elapsed = self.elapsed();
        if std::mem::take(&mut self.open) {
            self.change(|line| {
                line.outcome = outcome;
                line.duration = Some(elapsed);
                more(line);
            });
        }
        elapsed
    }

    fn change(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(line) = self.shared.lines().get_mut(self.index) {
            change(line);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.open {
            let after = self.close(Outcome::Dropped, |_| {});
            tracing::debug!(attempt = self.number, duration = ?after, "attempt dropped");
        }
    }
}
