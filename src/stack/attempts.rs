//! The slots for who is asked again, beside another, or not at all.

use std::time::Duration;

use tower_llm_layers::{
    circuit_breaker::{CircuitPolicy, Circuits},
    fallback::Hedge,
    resume::ResumeLayer,
    retry::{RetryBudget, Schedule, SharedSchedule},
};

use super::StackBuilder;
use crate::stream_upstream::StreamUpstreamLayer;

impl StackBuilder {
    /// The most attempts one call may make in all; [`DEFAULT_CAP`](tower_llm_layers::attempt::DEFAULT_CAP) by default.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts;
        self
    }

    /// The most attempts on one candidate, the first included; 2 by default.
    #[must_use]
    pub const fn attempts_per_candidate(mut self, attempts: u32) -> Self {
        self.settings.attempts_per_candidate = attempts;
        self
    }

    /// The longest wait for one retry where nobody else is left to ask. 20 s by default.
    #[must_use]
    pub const fn max_retry_delay(mut self, wait: Duration) -> Self {
        self.settings.max_retry_delay = wait;
        self
    }

    /// The longest wait for one retry while another candidate could answer instead: where the upstream asks for more, the next one does.
    /// 3 s by default, and never more than [`max_retry_delay`](Self::max_retry_delay).
    #[must_use]
    pub const fn max_retry_delay_with_fallback(mut self, wait: Duration) -> Self {
        self.settings.max_retry_delay_with_fallback = wait;
        self
    }

    /// Whether a silent candidate is tried again where there is no other. Off by default.
    #[must_use]
    pub const fn retry_timeouts(mut self, retry: bool) -> Self {
        self.settings.retry_timeouts = retry;
        self
    }

    /// How long to wait for a retry if the upstream does not say: [`Exponential`](tower_llm_layers::retry::Exponential) by default, or any
    /// other schedule, such as a `BackoffSchedule` (feature `backoff`).
    #[must_use]
    pub fn backoff<M>(mut self, schedule: M) -> Self
    where
        M: Schedule + Send + Sync + 'static,
        M::Delays: Send + 'static,
    {
        self.settings.backoff = SharedSchedule::new(schedule);
        self
    }

    /// The process-wide ratio of retries to calls: give all stacks of a process the same one.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.settings.budget = budget;
        self
    }

    /// When a candidate that fails too often is left alone, and how it is probed. [`CircuitPolicy::new`] by default; `None` asks
    /// every candidate whatever befell it.
    #[must_use]
    pub fn circuit_breaker(mut self, policy: impl Into<Option<CircuitPolicy>>) -> Self {
        match policy.into().map(Circuits::new).transpose() {
            Ok(circuits) => self.settings.circuits = circuits,
            Err(error) => self.note(error),
        }
        self
    }

    /// The same with circuits that are shared: give all stacks of a process the same ones, and what one learns serves all.
    #[must_use]
    pub fn circuits(mut self, circuits: Circuits) -> Self {
        self.settings.circuits = Some(circuits);
        self
    }

    /// Asks the next candidate as well where the first token is late. Off by default: it costs a little more, see [`Hedge`].
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.settings.hedge = hedge.into();
        self
    }

    /// Goes on where a stream broke off, so that the caller gets one whole answer: see [`resume`](tower_llm_layers::resume). The same
    /// model is asked first, then the others of the chain; all of it is on the bill, and [`Answer::resumed`](super::Answer::resumed)
    /// tells. Off by default.
    #[must_use]
    pub const fn resume(mut self, resume: ResumeLayer) -> Self {
        self.settings.resume = resume;
        self
    }

    /// Streams plain calls upstream and puts their answers together, so that silence is noticed early, leaving ends the bill, and hedges and
    /// [`resume`](Self::resume) serve them: see [`gather`](crate::stream_upstream). By default for calls that ask for it.
    #[must_use]
    pub const fn stream_upstream(mut self, gather: StreamUpstreamLayer) -> Self {
        self.settings.stream_upstream = gather;
        self
    }
}
