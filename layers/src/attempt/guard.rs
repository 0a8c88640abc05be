//! The one owner of an attempt's line: it closes the line, however the attempt ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    Attempt, AttemptHandle, Candidate, Failure, Outcome, RouterAttempt, events::attempt_ended, util::bounded_name,
};

/// Held by the attempt's future, then by its body, and by nothing else: responses carry the log, never a guard.
#[derive(Debug)]
pub(super) struct AttemptGuard {
    line: AttemptHandle,
    started: Instant,
    open: bool,
}

impl AttemptGuard {
    pub(super) const fn new(line: AttemptHandle, started: Instant) -> Self {
        Self {
            line,
            started,
            open: true,
        }
    }

    pub(super) const fn number(&self) -> u32 {
        self.line.number()
    }

    pub(super) fn candidate(&self) -> Option<Candidate> {
        self.line.candidate()
    }

    pub(super) fn began(&self) -> Duration {
        let elapsed = crate::util::since(self.started);
        self.line.began(elapsed);
        elapsed
    }

    pub(super) fn answered(&mut self) -> Duration {
        self.close(Outcome::Answered, |_| {})
    }

    pub(super) fn failed<E: Failure>(&mut self, error: &E) -> Duration {
        self.close(Outcome::Failed(error.kind()), |line| {
            line.status = error.status();
            line.retry_after = error.retry_after();
            line.summary = Some(error.summary().into());
            let routed = error.router_attempts();
            if !routed.is_empty() {
                line.router_attempts = routed.into();
            }
            if let Some(provider) = error.provider() {
                line.provider = Some(bounded_name(provider));
            }
        })
    }

    /// What the router tried by itself.
    pub(super) fn routed(&self, attempts: Vec<RouterAttempt>) {
        self.line.routed(attempts);
    }

    /// Whether the attempt, which ends now, was passed on to the upstream, as far as what stands below says.
    pub(super) fn was_sent(&self) -> bool {
        self.line.was_ever_sent()
    }

    fn close(&mut self, outcome: Outcome, more: impl FnOnce(&mut Attempt)) -> Duration {
        let elapsed = crate::util::since(self.started);
        if std::mem::take(&mut self.open) {
            self.line.close(
                |line| {
                    line.outcome = outcome;
                    line.duration = Some(elapsed);
                    more(line);
                },
                attempt_ended,
            );
        }
        elapsed
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if self.open {
            let after = self.close(Outcome::Dropped, |_| {});
            tracing::debug!(attempt = self.number(), duration = ?after, "attempt dropped");
        }
    }
}
