//! How soon an answer began, as far as that is its upstream's doing.

use std::time::Duration;

use tokio::time::Instant;

use crate::{AttemptLog, Candidate, LlmRequest};

/// Times the beginning of a streamed answer.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    log: Option<AttemptLog>,
}

impl Stopwatch {
    /// None for a plain call: its answer begins when it is whole, which tells how long it is and not how well its upstream.
    pub(crate) fn of<R: LlmRequest>(request: &R) -> Option<Self> {
        request.is_streaming().then(|| Self {
            log: request.call().attempts(),
        })
    }

    /// By the attempt's own clock, since a wait for a turn is not the upstream's; without one, the time since then.
    pub(crate) fn took(&self, candidate: &Candidate, since: Instant) -> Duration {
        let own = self.log.as_ref().and_then(|log| log.last_first_token(candidate));
        own.unwrap_or_else(|| since.elapsed())
    }
}
