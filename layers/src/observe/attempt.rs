//! One attempt, as it is told.

use std::sync::Arc;

use tracing::{Level, Span, field::Empty};

use super::{end::End, names, record::Record, seen::Seen, settings::Settings, title::Title};
use crate::{Candidate, LlmRequest};

/// What is known of an attempt beside what is seen of its answer.
pub(super) struct OneAttempt {
    #[cfg(feature = "metrics")]
    settings: Arc<Settings>,
    #[cfg(feature = "metrics")]
    candidate: Option<Candidate>,
    #[cfg(feature = "metrics")]
    asked: Option<Box<str>>,
}

/// Begins the record of an attempt. Its number comes when the layer below has begun it.
pub(super) fn begin<R: LlmRequest>(settings: &Arc<Settings>, request: &R) -> Record {
    #[cfg(not(feature = "metrics"))]
    let _ = settings;
    let call = request.call();
    let candidate = call.candidate();
    let model = candidate.map(Candidate::model).or_else(|| request.model());
    let span = tracing::span!(
        target: names::ATTEMPT_TARGET,
        Level::INFO,
        names::ATTEMPT_SPAN,
        { names::SPAN_NAME } = %Title(request.operation(), model),
        { names::SPAN_KIND } = "client",
        { names::STATUS_CODE } = Empty,
        { names::OPERATION } = request.operation(),
        { names::PROVIDER } = candidate.map(Candidate::upstream),
        { names::REQUEST_MODEL } = model,
        { names::REQUEST_STREAM } = request.is_streaming(),
        { names::REQUEST_MAX_TOKENS } = request.max_tokens(),
        { names::ATTEMPT_NUMBER } = Empty,
        { names::RESPONSE_MODEL } = Empty,
        { names::RESPONSE_ID } = Empty,
        { names::FINISH_REASONS } = Empty,
        { names::RESPONSE_TIME_TO_FIRST_CHUNK } = Empty,
        { names::INPUT_TOKENS } = Empty,
        { names::OUTPUT_TOKENS } = Empty,
        { names::CACHE_READ_TOKENS } = Empty,
        { names::CACHE_CREATION_TOKENS } = Empty,
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
        settings: Arc::clone(settings),
        #[cfg(feature = "metrics")]
        candidate: candidate.cloned(),
        #[cfg(feature = "metrics")]
        asked: request.model().map(Box::from),
    };
    Record::attempt(span, Seen::of(request), attempt)
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
        use crate::metering::{Labels, count, label, sample};

        let mut labels = Labels::with_capacity(5);
        labels.push(label(names::OPERATION, seen.operation));
        if let Some(candidate) = &self.candidate {
            labels.push(label(names::PROVIDER, candidate.upstream().to_owned()));
        }
        let model = self.candidate.as_ref().map(Candidate::model);
        if let Some(model) = model.or(self.asked.as_deref()) {
            let model = self.settings.asked.label(model, end.names_a_model());
            labels.push(label(names::REQUEST_MODEL, model));
        }
        if let Some(first) = seen.first.filter(|_| seen.streamed) {
            sample(names::ATTEMPT_TIME_TO_FIRST_TOKEN, &labels, first.as_secs_f64());
        }
        seen.count_tokens(names::ATTEMPT_TOKEN_USAGE, &labels);
        labels.extend(end.error_type().map(|kind| label(names::ERROR_TYPE, kind)));
        sample(names::ATTEMPT_DURATION, &labels, seen.elapsed().as_secs_f64());
        labels.push(label(names::OUTCOME, end.outcome()));
        count(names::ATTEMPTS_ENDED, &labels, 1);
    }
}
