//! The slots of retries, hedges, circuits and resumes.

use std::{sync::Arc, time::Duration};

use bytes::Buf;
use tower_layer::Layer;
use tower_llm_layers::{
    Continuable, Failure, Frame, LayerError, LlmRequest,
    circuit_breaker::{CircuitPolicy, Circuits},
    fallback::Hedge,
    pause::Pauses,
    resume::ResumeLayer,
    retry::{RetryBudget, Schedule},
};

use super::{ErasedService, StackBuilder};
use crate::{ChatFrame, Error, stream_upstream::StreamUpstreamLayer};

impl<R, F, E> StackBuilder<R, F, E> {
    /// The most attempts one call may make in all; 6 ([`DEFAULT_CAP`](tower_llm_layers::attempt::DEFAULT_CAP)) by default.
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

    /// The longest wait for one retry if no other candidate is left. 20 s by default.
    #[must_use]
    pub const fn max_retry_delay(mut self, wait: Duration) -> Self {
        self.settings.max_retry_delay = wait;
        self
    }

    /// The longest wait for one retry while another candidate could answer instead: if the upstream requests a longer wait, the next one answers.
    /// 3 s by default, and never more than [`max_retry_delay`](Self::max_retry_delay).
    #[must_use]
    pub const fn max_retry_delay_with_fallback(mut self, wait: Duration) -> Self {
        self.settings.max_retry_delay_with_fallback = wait;
        self
    }

    /// Whether a silent candidate is tried again if there is no other. Off by default.
    #[must_use]
    pub const fn retry_timeouts(mut self, retry: bool) -> Self {
        self.settings.retry_timeouts = retry;
        self
    }

    /// How long to wait for a retry if the upstream does not say: [`Exponential`](tower_llm_layers::retry::Exponential) by default, or any
    /// other schedule, such as a `BackoffSchedule` (feature `backoff`).
    #[must_use]
    pub fn backoff(mut self, schedule: impl Schedule + 'static) -> Self {
        self.settings.backoff = Arc::new(schedule);
        self
    }

    /// The process-wide ratio of retries to calls, 20 % of calls and 10 retries a second by default: give all stacks of a process the same one.
    #[must_use]
    pub fn retry_budget(mut self, budget: RetryBudget) -> Self {
        self.settings.budget = budget;
        self
    }

    /// When a candidate that fails too often is skipped, and how it is probed. [`CircuitPolicy::new`] by default; `None` turns the circuit
    /// breaker off.
    #[must_use]
    pub fn circuit_breaker(mut self, policy: impl Into<Option<CircuitPolicy>>) -> Self {
        match policy.into().map(Circuits::new).transpose() {
            Ok(circuits) => self.settings.circuits = circuits,
            Err(error) => error.problems().iter().for_each(|problem| self.note(*problem)),
        }
        self
    }

    /// The same with circuits that are shared: give all stacks of a process the same ones, and they share their state.
    #[must_use]
    pub fn circuits(mut self, circuits: Circuits) -> Self {
        self.settings.circuits = Some(circuits);
        self
    }

    /// Shares the pauses requested by upstreams: give all stacks of a process the same ones, and they share their state. Each stack has its own
    /// by default.
    #[must_use]
    pub fn pauses(mut self, pauses: Pauses) -> Self {
        self.settings.pauses = pauses;
        self
    }

    /// Hedges a slow candidate: if no token arrives within the delay, the next candidate is tried in parallel. Off by default: it costs a little more, see [`Hedge`].
    #[must_use]
    pub fn hedge(mut self, hedge: impl Into<Option<Hedge>>) -> Self {
        self.settings.hedge = hedge.into();
        self
    }
}

impl<R, F, E> StackBuilder<R, F, E>
where
    R: LlmRequest + Continuable + Send + 'static,
    F: Frame + Buf + Send + 'static,
    E: Failure + From<LayerError> + Send + 'static,
{
    /// Resumes an interrupted stream, so that the caller gets one whole answer: see [`resume`](tower_llm_layers::resume). The same
    /// model is tried first, then the others of the chain; all of it is billed, and [`Answer::resumed`](super::Answer::resumed)
    /// tells. Off by default.
    #[must_use]
    pub fn resume(mut self, resume: ResumeLayer) -> Self {
        let wrap = move |inner: ErasedService<R, F, E>| ErasedService::new(resume.layer(inner));
        self.slots.resume = Some((resume, Arc::new(wrap)));
        self
    }
}

impl<R: LlmRequest + Send + 'static> StackBuilder<R, ChatFrame, Error> {
    /// Streams plain calls upstream and assembles their answers, so that silence is noticed early, leaving ends the bill, and hedges and
    /// [`resume`](Self::resume) serve them: see [`stream_upstream`](crate::stream_upstream). By default for calls that ask for it.
    #[must_use]
    pub fn stream_upstream(mut self, layer: StreamUpstreamLayer) -> Self {
        self.slots.stream_upstream = Some((
            layer,
            |layer, top, chained| top.around(layer.layer(chained)),
            Arc::new(move |inner: ErasedService<R, ChatFrame, Error>| ErasedService::new(layer.layer(inner))),
        ));
        self
    }
}
