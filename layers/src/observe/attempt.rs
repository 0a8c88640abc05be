use http::{Extensions, Response};
use tokio::time::Instant;
use tracing::{Span, field::Empty, info_span};

use super::record::{End, Record, seconds};
use crate::{Candidate, Failure, LlmRequest, TokenUsage};

/// What is told of one attempt.
#[derive(Debug)]
pub struct AttemptRecord {
    span: Span,
    begun: Instant,
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "for the numbers"))]
    candidate: Option<Candidate>,
}

impl AttemptRecord {
    /// Nothing where nobody listens.
    pub(super) fn of<R: LlmRequest>(request: &R) -> Option<Self> {
        let call = request.call();
        let candidate = call.candidate();
        let span = info_span!(
            target: "llm::attempt",
            "llm attempt",
            number = call.attempts().map_or(1, |log| log.sent() + 1),
            gen_ai.provider.name = candidate.map(Candidate::upstream),
            gen_ai.request.model = candidate.map(Candidate::model).or_else(|| request.model()),
            gen_ai.response.time_to_first_chunk = Empty,
            error.type = Empty,
        );
        if span.is_disabled() && !cfg!(feature = "metrics") {
            return None;
        }
        Some(Self {
            span,
            begun: Instant::now(),
            candidate: candidate.cloned(),
        })
    }
}

impl Record for AttemptRecord {
    fn span(&self) -> &Span {
        &self.span
    }

    fn publish<B, E: Failure>(&mut self, result: Result<Response<B>, E>) -> Result<Response<B>, E> {
        result
    }

    fn began(&mut self, _: &Extensions) {
        let time = seconds(self.begun.elapsed());
        self.span.record("gen_ai.response.time_to_first_chunk", time);
    }

    fn chunk(&mut self, _: Option<TokenUsage>) {}

    fn end(&mut self, how: &End<'_>) {
        if let Some(kind) = how.error_type() {
            self.span.record("error.type", kind);
        }
        #[cfg(feature = "metrics")]
        {
            use super::names;

            let candidate = self.candidate.as_ref();
            let model = crate::metering::bounded(candidate.map_or("none", Candidate::model));
            let upstream = candidate.map_or("none", Candidate::upstream).to_owned();
            metrics::histogram!(
                names::ATTEMPT_DURATION,
                names::PROVIDER => upstream,
                names::REQUEST_MODEL => model,
                names::ERROR_TYPE => how.error_type().unwrap_or(""),
            )
            .record(seconds(self.begun.elapsed()));
        }
    }
}
