//! What is recorded of one attempt at its end: its outcome, and its metrics.

use tracing::Span;

use super::{call_observation::CallObservation, end::End, names};
#[cfg(feature = "metrics")]
use crate::Candidate;
use crate::LlmRequest;

/// What is known of an attempt beside what is seen of its answer.
pub(super) struct OneAttempt {
    #[cfg(feature = "metrics")]
    candidate: Option<Candidate>,
    #[cfg(feature = "metrics")]
    /// The requested model, if there is no candidate.
    asked: Option<Box<str>>,
}

impl OneAttempt {
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "for the numbers"))]
    pub(super) fn of<R: LlmRequest>(request: &R) -> Self {
        Self {
            #[cfg(feature = "metrics")]
            candidate: request.call().candidate().cloned(),
            #[cfg(feature = "metrics")]
            asked: match request.call().candidate() {
                Some(_) => None,
                None => request.model().map(Box::from),
            },
        }
    }

    #[cfg_attr(not(feature = "metrics"), expect(clippy::unused_self, reason = "for the numbers"))]
    pub(super) fn end(self, span: &Span, seen: &CallObservation, end: End) {
        span.record(names::OUTCOME, end.outcome());
        #[cfg(feature = "metrics")]
        self.count(seen, end);
        #[cfg(not(feature = "metrics"))]
        let _ = seen;
    }

    #[cfg(feature = "metrics")]
    fn count(&self, seen: &CallObservation, end: End) {
        use crate::metering::{Bounded, Labels, count, label, sample, shared};

        /// Models that have a label of their own: one set, as there is one recorder.
        static MODELS: Bounded = Bounded::of_models();

        let mut labels = Labels::with_capacity(5);
        labels.push(label(names::OPERATION, seen.operation));
        if let Some(candidate) = &self.candidate {
            labels.push(shared(names::PROVIDER, candidate.upstream()));
        }
        let model = self.candidate.as_ref().map(Candidate::model);
        if let Some(model) = model.or(self.asked.as_deref()) {
            let model = MODELS.label_if(model, || seen.first.is_some() || end.names_a_model());
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
