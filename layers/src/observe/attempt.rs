//! The span and the metrics of one attempt.

use http::Extensions;
use tracing::{Level, Span, field::Empty, span::Entered};

use super::{end::End, names, record::Record, seen::Seen, title::Title};
use crate::{Candidate, Failure, Frame, LlmRequest, util::whole, watch::Scope};

/// The record of one attempt, for [`AttemptLayer`](crate::attempt::AttemptLayer).
#[derive(Debug)]
pub(crate) struct AttemptRecord(Record);

/// What is known of an attempt beside what is seen of its answer.
pub(super) struct OneAttempt {
    #[cfg(feature = "metrics")]
    candidate: Option<Candidate>,
    #[cfg(feature = "metrics")]
    asked: Option<Box<str>>,
}

impl AttemptRecord {
    pub(crate) fn begin<R: LlmRequest>(request: &R, number: u32) -> Self {
        Self(begin(request, number))
    }

    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.enter()
    }

    /// It was refused on our side: it counts nowhere as sent.
    pub(crate) fn never_sent(&mut self) {
        self.0.never_sent();
    }

    pub(crate) fn responded(&mut self, extensions: &Extensions) {
        self.0.responded(extensions);
    }

    pub(crate) fn frame<F: Frame>(&mut self, frame: &F) {
        self.0.frame(frame);
    }

    pub(crate) fn answered(&mut self) {
        self.0.answered();
    }

    pub(crate) fn failed<E: Failure>(&mut self, error: &E) {
        self.0.failed(error);
    }
}

fn begin<R: LlmRequest>(request: &R, number: u32) -> Record {
    let call = request.call();
    let candidate = call.candidate();
    let model = candidate.map(Candidate::model).or_else(|| request.model());
    let span = tracing::span!(
        target: names::ATTEMPT_TARGET,
        Level::DEBUG,
        names::ATTEMPT_SPAN,
        { names::SPAN_NAME } = %Title(request.operation(), model),
        { names::SPAN_KIND } = "client",
        { names::STATUS_CODE } = Empty,
        { names::OPERATION } = request.operation(),
        { names::PROVIDER } = candidate.map(Candidate::upstream),
        { names::REQUEST_MODEL } = model,
        { names::REQUEST_STREAM } = request.is_streaming(),
        { names::REQUEST_MAX_TOKENS } = request.max_tokens().map(whole),
        { names::ATTEMPT_NUMBER } = i64::from(number),
        { names::CONVERSATION_ID } = request.conversation().as_deref(),
        { names::SERVER_ADDRESS } = Empty,
        { names::SERVER_PORT } = Empty,
        { names::RESPONSE_MODEL } = Empty,
        { names::RESPONSE_ID } = Empty,
        { names::SERVED_BY } = Empty,
        { names::FINISH_REASONS } = Empty,
        { names::RESPONSE_TIME_TO_FIRST_CHUNK } = Empty,
        { names::INPUT_TOKENS } = Empty,
        { names::OUTPUT_TOKENS } = Empty,
        { names::CACHE_READ_TOKENS } = Empty,
        { names::CACHE_WRITE_TOKENS } = Empty,
        { names::REASONING_TOKENS } = Empty,
        { names::ERROR_TYPE } = Empty,
        { names::HTTP_STATUS } = Empty,
        { names::OUTCOME } = Empty,
    );
    if span.is_disabled() && !cfg!(feature = "metrics") {
        return Record::nothing();
    }
    let attempt = OneAttempt {
        #[cfg(feature = "metrics")]
        candidate: candidate.cloned(),
        #[cfg(feature = "metrics")]
        asked: request.model().map(Box::from),
    };
    let seen = Seen::of(request, &span);
    Record::attempt(span, seen, attempt)
}

impl OneAttempt {
    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "for the numbers"))]
    pub(super) fn end(self, span: &Span, seen: &Seen, end: End) {
        span.record(names::OUTCOME, end.outcome());
        #[cfg(feature = "metrics")]
        self.count(seen, end);
        #[cfg(not(feature = "metrics"))]
        let _ = seen;
    }

    #[cfg(feature = "metrics")]
    fn count(&self, seen: &Seen, end: End) {
        use crate::metering::{Bounded, Labels, count, label, sample};

        /// Models that have a label of their own: one set, as there is one recorder.
        static MODELS: Bounded = Bounded::new();

        let mut labels = Labels::with_capacity(5);
        labels.push(label(names::OPERATION, seen.operation));
        if let Some(candidate) = &self.candidate {
            labels.push(label(names::PROVIDER, candidate.upstream().to_owned()));
        }
        let model = self.candidate.as_ref().map(Candidate::model);
        if let Some(model) = model.or(self.asked.as_deref()) {
            let model = MODELS.label(model, end.names_a_model());
            labels.push(label(names::REQUEST_MODEL, model));
        }
        if let Some(first) = seen.first.filter(|_| seen.streamed) {
            sample(names::ATTEMPT_TIME_TO_FIRST_TOKEN, &labels, first.as_secs_f64());
        }
        if let Some(usage) = &seen.usage {
            count(names::ATTEMPT_INPUT_USAGE, &labels, usage.prompt);
            count(names::ATTEMPT_OUTPUT_USAGE, &labels, usage.answer);
        }
        labels.extend(end.error_type().map(|kind| label(names::ERROR_TYPE, kind)));
        sample(names::ATTEMPT_DURATION, &labels, seen.elapsed().as_secs_f64());
        labels.push(label(names::OUTCOME, end.outcome()));
        count(names::ATTEMPTS_ENDED, &labels, 1);
    }
}
