//! The slots for time.

use std::time::Duration;

use tower_llm_layers::timeout::MinThroughput;

use super::StackBuilder;

impl<R, F, E> StackBuilder<R, F, E> {
    /// The longest time from the start of a call to its last byte; `None` for no limit. A caller's
    /// [`DEADLINE_HEADER`](tower_llm_layers::deadline::DEADLINE_HEADER) can only shorten it.
    ///
    /// Without this setting, 180 s and the time for reasoning bound the beginning of an answer, and one that has begun has an end of its own:
    /// see [`DeadlineLayer::until_first_token`](tower_llm_layers::deadline::DeadlineLayer::until_first_token).
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.settings.deadline = deadline.into();
        self.settings.sets_deadline = true;
        self
    }

    /// From the start of a streamed attempt to its first token; 20 s by default, `None` for no limit. The last candidate, or the only one, gets
    /// [`last_candidate_grace`](Self::last_candidate_grace) on top: set that to zero for a hard limit.
    ///
    /// A request that asks for reasoning gets more at least, since the model thinks in silence: 30 s for low effort, 60 s for medium, 100 s
    /// for high, 150 s above. Timeouts of the candidate ([`Candidate::with_timeouts`](tower_llm_layers::Candidate::with_timeouts)) or of the
    /// request ([`ChatRequest::timeouts`](crate::ChatRequest::timeouts)) go before both.
    #[must_use]
    pub fn first_token_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.timeouts.first_token = limit.into();
        self.settings.sets_first_token = true;
        self
    }

    /// From the start of a plain attempt to its whole answer; 90 s by default, `None` for no limit. Once the first bytes of the answer are
    /// there, a silence as long as [`idle_timeout`](Self::idle_timeout) ends the attempt as well.
    #[must_use]
    pub fn response_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.timeouts.response = limit.into();
        self
    }

    /// Added to [`first_token_timeout`](Self::first_token_timeout) and [`response_timeout`](Self::response_timeout) for the last candidate, because
    /// no candidate follows it; 20 s by default.
    #[must_use]
    pub const fn last_candidate_grace(mut self, grace: Duration) -> Self {
        self.settings.timeouts.last_candidate_grace = grace;
        self
    }

    /// The longest silence once the answer has begun; 30 s by default, `None` for no limit.
    #[must_use]
    pub fn idle_timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.settings.timeouts.idle = limit.into();
        self
    }

    /// The slowest stream that is still worth waiting for; off by default.
    #[must_use]
    pub fn min_throughput(mut self, floor: impl Into<Option<MinThroughput>>) -> Self {
        self.settings.timeouts.min_throughput = floor.into();
        self
    }
}
