//! The one owner of an attempt's line: it closes the line, however the attempt ends.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Attempt, Outcome, RouterAttempt, state::CallState};
use crate::{
    Failure,
    events::{EventKind, emit},
    util::bounded_name,
};

/// Held by [`Attempt`](crate::attempt)'s future, then by its body, and by nothing else: responses carry the log, never a guard.
#[derive(Debug)]
pub(crate) struct AttemptGuard {
    state: Arc<CallState>,
    index: usize,
    pub(crate) number: u32,
    started: Instant,
    open: bool,
}

impl AttemptGuard {
    pub(super) const fn new(state: Arc<CallState>, index: usize, number: u32, started: Instant) -> Self {
        Self {
            state,
            index,
            number,
            started,
            open: true,
        }
    }

    pub(crate) fn began(&self) -> Duration {
        let elapsed = crate::util::since(self.started);
        self.change(|line| {
            line.outcome = Outcome::Answering;
            line.first_token = Some(elapsed.saturating_sub(line.local_wait));
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
    pub(crate) fn routed(&self, attempts: Vec<RouterAttempt>) {
        self.change(|line| line.router_attempts = attempts.into());
    }

    /// Whether the attempt was passed on to the upstream, as far as what stands below says.
    pub(crate) fn is_sent(&self) -> bool {
        self.state.lines().get(self.index).is_none_or(|line| line.is_sent)
    }

    fn close(&mut self, outcome: Outcome, more: impl FnOnce(&mut Attempt)) -> Duration {
        let elapsed = crate::util::since(self.started);
        if std::mem::take(&mut self.open) {
            self.state.change(self.index, |line| {
                // Of an attempt that was sent again below, each exchange has written its own end.
                if line.exchanges <= 1 {
                    line.outcome = outcome;
                    line.duration = Some(elapsed);
                    more(line);
                }
                emit(|| EventKind::AttemptEnded(Box::new(line.clone())));
            });
        }
        elapsed
    }

    /// Writes, unless a service below sent the request again: then each exchange writes its own line.
    fn change(&self, change: impl FnOnce(&mut Attempt)) {
        self.state.change(self.index, |line| {
            if line.exchanges <= 1 {
                change(line);
            }
        });
    }
}

impl Drop for AttemptGuard {
    fn drop(&mut self) {
        if self.open {
            let after = self.close(Outcome::Dropped, |_| {});
            tracing::debug!(attempt = self.number, duration = ?after, "attempt dropped");
        }
    }
}
