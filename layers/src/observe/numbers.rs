//! The metrics of one operation.

use std::{sync::Arc, time::Duration};

use metrics::Histogram;

use super::{
    call_observation::CallObservation,
    end::{End, implies_a_model},
    names,
    settings::Settings,
    tally::Tally,
};
use crate::{
    AttemptLog, Candidate, Degraded, FailureKind, LlmRequest, Outcome, Tags,
    metering::{Labels, change, count, histogram, label, sample, shared},
};

/// What its labels are made of.
pub(super) struct Numbers {
    settings: Arc<Settings>,
    active: Active,
    asked: Option<Box<str>>,
    tags: Tags,
    /// Looked up once an answer, since it is used for each frame.
    pace: Option<Histogram>,
}

/// What the operation came to.
pub(super) struct Sums<'a> {
    pub(super) outcome: &'static str,
    pub(super) log: Option<&'a AttemptLog>,
    pub(super) tally: &'a Tally,
    pub(super) resumptions: usize,
    pub(super) cached: Option<&'static str>,
    pub(super) degraded: Option<&'a Degraded>,
}

/// One operation under way, until it is dropped.
struct Active(&'static str);

impl Active {
    fn new(operation: &'static str) -> Self {
        let active = Self(operation);
        active.change(1.0);
        active
    }

    fn change(&self, by: f64) {
        change(names::OPERATIONS_ACTIVE, &vec![label(names::OPERATION, self.0)], by);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.change(-1.0);
    }
}

impl Numbers {
    pub(super) fn begin<R: LlmRequest>(settings: &Arc<Settings>, request: &R) -> Self {
        Self {
            settings: Arc::clone(settings),
            active: Active::new(request.operation()),
            asked: request.model().map(Box::from),
            tags: request.call().tags().clone(),
            pace: None,
        }
    }

    fn labels(&self, seen: &CallObservation, candidate: Option<&Candidate>, log: Option<&AttemptLog>) -> Labels {
        let mut labels = Labels::with_capacity(8);
        labels.push(label(names::OPERATION, seen.operation));
        labels.extend(self.settings.labels(&self.tags));
        if let Some(model) = &self.asked {
            let model = self.settings.asked.label_if(model, || is_model(model, seen, log));
            labels.push(label(names::REQUEST_MODEL, model));
        }
        if let Some(candidate) = candidate {
            labels.push(shared(names::PROVIDER, candidate.upstream()));
        }
        let answering = candidate.filter(|_| seen.is_of_a_model()).map(Candidate::model);
        if let Some(model) = seen.model.as_deref().or(answering) {
            let model = self.settings.answered.label(model);
            labels.push(label(names::RESPONSE_MODEL, model));
        }
        labels
    }

    pub(super) fn chunk_after(&mut self, gap: Duration, seen: &CallObservation, log: Option<&AttemptLog>) {
        if self.pace.is_none() {
            let candidate = log.and_then(AttemptLog::answered_by);
            let labels = self.labels(seen, candidate.as_ref(), log);
            self.pace = Some(histogram(names::TIME_PER_OUTPUT_CHUNK, &labels));
        }
        if let Some(pace) = &self.pace {
            pace.record(gap.as_secs_f64());
        }
    }

    pub(super) fn end(self, seen: &CallObservation, end: End, sums: &Sums<'_>) {
        let tally = sums.tally;
        let mut labels = self.labels(seen, tally.candidate.as_ref(), sums.log);
        drop(self.active);
        if let Some(first) = seen.first.filter(|_| seen.streamed) {
            sample(names::TIME_TO_FIRST_CHUNK, &labels, first.as_secs_f64());
        }
        seen.count_tokens(&mut labels);
        sample(names::OPERATION_ATTEMPTS, &labels, number(tally.attempts as u64));
        for (name, amount) in [
            (names::OPERATION_COST, tally.cost),
            (names::OPERATION_COST_WASTED, tally.wasted),
        ] {
            if let Some(amount) = amount {
                sample(name, &labels, amount.in_dollars());
            }
        }
        count(names::RETRIES, &labels, tally.retries as u64);
        count(names::FALLBACKS, &labels, tally.fallbacks as u64);
        count(names::RESUMED, &labels, sums.resumptions as u64);
        if let Some(cached) = sums.cached {
            labels.push(label(names::CACHE, cached));
            count(names::CACHE_LOOKUPS, &labels, 1);
            labels.pop();
        }
        if let Some(mark) = sums.degraded {
            let mut labels = labels.clone();
            labels.push(label(names::DEGRADED_SOURCE, mark.source.as_str()));
            let reason = mark.reason.map(FailureKind::as_str);
            labels.extend(reason.map(|reason| label(names::DEGRADED_REASON, reason)));
            count(names::DEGRADED, &labels, 1);
        }
        labels.extend(end.error_type().map(|kind| label(names::ERROR_TYPE, kind)));
        let duration = if seen.embeds() {
            names::EMBEDDINGS_DURATION
        } else {
            names::INFERENCE_DURATION
        };
        sample(duration, &labels, seen.elapsed().as_secs_f64());
        labels.extend(end.fault().map(|fault| label(names::FAULT, fault)));
        labels.push(label(names::OUTCOME, sums.outcome));
        count(names::OPERATIONS, &labels, 1);
    }
}

/// Whether the requested model is likely one: an attempt at it has begun to answer, or has failed in a way that says so. If the chain has other
/// names, whether one of its models has answered in its place. What was only refused, or never sent, takes no label's place.
fn is_model(asked: &str, seen: &CallObservation, log: Option<&AttemptLog>) -> bool {
    let lines = log.map(AttemptLog::attempts).unwrap_or_default();
    let of_it = |candidate: &Candidate| candidate.model() == asked;
    let mut lines = lines
        .iter()
        .filter(|line| line.candidate.as_ref().is_none_or(of_it))
        .peekable();
    if lines.peek().is_none() {
        return seen.is_of_a_model();
    }
    lines.any(|line| match line.outcome {
        Outcome::Failed(kind) if line.first_token.is_none() => line.is_sent && implies_a_model(kind),
        _ => line.first_token.is_some() || line.outcome == Outcome::Answered,
    })
}

impl CallObservation {
    fn embeds(&self) -> bool {
        self.operation == "embeddings"
    }

    /// Tokens of prompt and answer: one sample each for the operation, and the sums by modality. An upstream tells sound apart, and nothing else.
    fn count_tokens(&self, labels: &mut Labels) {
        let Some(usage) = &self.usage else { return };
        if self.embeds() {
            return sample(names::EMBEDDINGS_INPUT_TOKENS, labels, number(usage.prompt));
        }
        sample(names::OPERATION_INPUT_TOKENS, labels, number(usage.prompt));
        sample(names::OPERATION_OUTPUT_TOKENS, labels, number(usage.answer));
        for (name, tokens, of_sound) in [
            (names::INPUT_USAGE, usage.prompt, usage.audio),
            (names::OUTPUT_USAGE, usage.answer, usage.answer_audio),
            (names::CACHE_READ_USAGE, usage.cached, 0),
            (names::CACHE_WRITE_USAGE, usage.cache_written, 0),
            (names::REASONING_USAGE, usage.reasoning, 0),
        ] {
            let of_sound = of_sound.min(tokens);
            for (modality, tokens) in [("audio", of_sound), ("unknown", tokens - of_sound)] {
                if tokens > 0 {
                    labels.push(label(names::TOKEN_MODALITY, modality));
                    count(name, labels, tokens);
                    labels.pop();
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no count comes near it")]
const fn number(count: u64) -> f64 {
    count as f64
}
