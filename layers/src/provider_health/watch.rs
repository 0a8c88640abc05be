//! What an attempt shows of its provider.

use http::Response;
use http_body::Body;

use super::{ProviderHealth, ProviderHealthBody, health::Routing};
use crate::{
    Advice, AttemptHandle, Candidate, Failure, FailureKind, Frame, Health, LlmRequest, RetryAdvice, RouterAttempt,
    Stage,
    call::FirstTokenTimer,
    watch::{InSpan, Respond, Watch, WatchBody},
};

/// An attempt whose answer has not begun; without a candidate it records nothing.
#[derive(Debug, Default)]
pub struct ProviderStart(Option<Box<Observation>>);

/// An answer that continues: one that is interrupted counts as a failure after all.
#[derive(Debug, Default)]
pub struct ProviderWatch(Option<Box<Observation>>);

#[derive(Debug)]
struct Observation {
    health: ProviderHealth,
    candidate: Candidate,
    routing: Routing,
    attempt: Option<AttemptHandle>,
    timer: Option<FirstTokenTimer>,
    first_token: Option<std::time::Duration>,
    is_recorded: bool,
    /// What the router tried by itself before, if it says so.
    routed: Vec<RouterAttempt>,
}

impl ProviderStart {
    pub(super) fn new<R: LlmRequest>(
        health: ProviderHealth,
        candidate: Candidate,
        routing: Routing,
        request: &R,
    ) -> Self {
        // A plain answer begins when it is whole, which says how long it is.
        let timer = request.is_streaming().then(|| request.call().first_token_timer());
        Self(Some(Box::new(Observation {
            health,
            candidate,
            routing,
            attempt: request.call().attempt(),
            timer,
            first_token: None,
            is_recorded: false,
            routed: Vec::new(),
        })))
    }
}

impl Observation {
    /// The provider that the router named for this attempt.
    fn served_by(&self) -> Option<Box<str>> {
        self.attempt.as_ref().and_then(AttemptHandle::provider)
    }

    /// Nothing is counted twice.
    fn record(&mut self, served: Option<&str>, failed: Option<bool>) {
        if std::mem::replace(&mut self.is_recorded, true) {
            return;
        }
        if let Some(probe) = self.routing.probe.take() {
            self.health.probed(&self.candidate, &probe, served, failed);
        }
        self.record_router_attempts(served);
        let (Some(served), Some(failed)) = (served, failed) else {
            return;
        };
        self.health
            .ended(&self.candidate, served, failed, self.first_token.filter(|_| !failed));
        let slug = self.health.policy().slug_of(served);
        if self.routing.ignore.contains(&slug) {
            self.health.has_another_slug(&self.candidate, served);
        }
    }

    /// The router has called these before, and they failed.
    fn record_router_attempts(&mut self, served: Option<&str>) {
        for attempt in std::mem::take(&mut self.routed) {
            let is_own = attempt
                .model
                .as_deref()
                .is_none_or(|model| model == self.candidate.model());
            let other = attempt.provider.as_deref().filter(|name| Some(*name) != served);
            if let (true, true, Some(other)) = (is_own, attempt.failed(), other) {
                self.health.ended(&self.candidate, other, true, None);
            }
        }
    }

    fn failed<E: Failure>(&mut self, error: &E) {
        if self.routed.is_empty() {
            self.routed = error.router_attempts();
        }
        let counts = matches!(error.advice().health, Health::Unhealthy | Health::Paused) && !error.marks().is_local();
        let served = error.provider().map(Box::from).or_else(|| self.served_by());
        self.record(served.as_deref(), counts.then_some(true));
    }
}

impl InSpan for ProviderStart {}

impl InSpan for ProviderWatch {}

impl<B, E> Respond<Response<B>, E> for ProviderStart
where
    E: Failure,
    B: Body<Error = E>,
    B::Data: Frame,
{
    type Response = Response<ProviderHealthBody<B>>;

    fn respond(self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        let mut observation = self.0;
        match result {
            Ok(response) => {
                if let Some(observation) = &mut observation {
                    observation.first_token = observation.timer.take().map(|timer| timer.took());
                }
                Ok(response.map(|body| WatchBody::new(body, ProviderWatch(observation))))
            }
            Err(mut error) => {
                if let Some(observation) = &mut observation {
                    if error.kind() == FailureKind::NoEndpoint && !observation.routing.ignore.is_empty() {
                        observation.health.lift(&observation.candidate);
                        // It was our own doing: the same candidate may answer without it.
                        let retry = RetryAdvice::Once;
                        let advice = Advice {
                            retry,
                            ..error.advice()
                        };
                        error.marks_mut().set_advice(advice);
                    }
                    observation.failed(&error);
                }
                Err(error)
            }
        }
    }
}

impl<D: Frame, E: Failure> Watch<D, E> for ProviderWatch {
    fn frame(&mut self, frame: &D) {
        // They come with the end of an answer.
        let may_have = frame.finishes_answer() || matches!(frame.stage(), Stage::Finish | Stage::Trailer);
        if let Some(observation) = self
            .0
            .as_mut()
            .filter(|observation| may_have && observation.routed.is_empty())
        {
            observation.routed = frame.router_attempts();
        }
    }

    fn failed(&mut self, error: &E) {
        if let Some(observation) = &mut self.0 {
            observation.failed(error);
        }
    }

    fn ended(&mut self) {
        if let Some(observation) = &mut self.0
            && !observation.is_recorded
        {
            let served = observation.served_by();
            observation.record(served.as_deref(), Some(false));
        }
    }
}

impl Drop for Observation {
    /// A probe that has said nothing gives its place back.
    fn drop(&mut self) {
        self.record(None, None);
    }
}
