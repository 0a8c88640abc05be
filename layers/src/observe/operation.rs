//! What is recorded of one operation at its end: its fields, its line, and its metrics.

use http::Extensions;
use tracing::Span;

use super::{call_observation::CallObservation, end::End, names, tally::Tally, title::whole};
use crate::{AttemptLog, Candidate, Degraded, FailureKind, Resumed};

/// What is known of an operation beside what is seen of its answer.
pub(super) struct Operation {
    log: Option<AttemptLog>,
    degraded: Option<Degraded>,
    resumed: Option<Resumed>,
    /// What the cache did.
    cached: Option<&'static str>,
    #[cfg(feature = "metrics")]
    numbers: super::numbers::Numbers,
}

impl Operation {
    pub(super) const fn new(
        log: Option<AttemptLog>,
        #[cfg(feature = "metrics")] numbers: super::numbers::Numbers,
    ) -> Self {
        Self {
            log,
            degraded: None,
            resumed: None,
            cached: None,
            #[cfg(feature = "metrics")]
            numbers,
        }
    }

    /// What the layers below have marked the answer with.
    pub(super) fn responded(&mut self, extensions: &Extensions) {
        self.degraded = extensions.get::<Degraded>().cloned();
        self.resumed = extensions.get::<Resumed>().cloned();
        self.cached = cached(extensions);
    }

    /// A frame that shows something came so long after the one before.
    #[cfg(feature = "metrics")]
    pub(super) fn chunk_after(&mut self, gap: std::time::Duration, seen: &CallObservation) {
        self.numbers.chunk_after(gap, seen, self.log.as_ref());
    }

    pub(super) fn end(mut self, span: &Span, seen: &CallObservation, end: End, summary: Option<&str>) {
        // Known only at the end: a cheaper model may have continued the answer.
        if self.degraded.is_none() {
            self.degraded = self.resumed.as_ref().and_then(Resumed::degraded);
        }
        let got = end == End::Answered;
        let resumptions = self.resumed.as_ref().map_or(0, |resumed| resumed.places().len());
        let log = self.log.as_ref();
        let tally = log.map(|log| Tally::of(log, got, resumptions)).unwrap_or_default();
        let outcome = match &self.degraded {
            Some(_) if got => "degraded",
            _ => end.outcome(),
        };
        span.record(names::OUTCOME, outcome);
        if let Some(candidate) = &tally.candidate {
            span.record(names::PROVIDER, candidate.upstream());
            if seen.is_of_a_model() && seen.model.is_none() {
                span.record(names::RESPONSE_MODEL, candidate.model());
            }
        }
        span.record(names::ATTEMPTS, whole(tally.attempts as u64));
        for (name, number) in [
            (names::RETRY_COUNT, tally.retries),
            (names::FALLBACK_COUNT, tally.fallbacks),
            (names::RESUMPTION_COUNT, resumptions),
        ] {
            if number > 0 {
                span.record(name, whole(number as u64));
            }
        }
        for (name, amount) in [(names::COST, tally.cost), (names::COST_WASTED, tally.wasted)] {
            if let Some(amount) = amount {
                span.record(name, amount.in_dollars());
            }
        }
        if let Some(cached) = self.cached {
            span.record(names::CACHE, cached);
        }
        let source = self.degraded.as_ref().map(|mark| mark.source.as_str());
        let reason = self
            .degraded
            .as_ref()
            .and_then(|mark| mark.reason)
            .map(FailureKind::as_str);
        span.record(names::DEGRADED_SOURCE, source)
            .record(names::DEGRADED_REASON, reason);
        span.in_scope(|| {
            tracing::info!(
                target: names::OPERATION_TARGET,
                outcome,
                source,
                reason,
                operation = seen.operation,
                model = tally.candidate.as_ref().map(Candidate::model),
                kind = end.error_type(),
                summary,
                attempts = whole(tally.attempts as u64),
                cost = tally.cost.map(tracing::field::display),
                duration = ?seen.elapsed(),
                "operation ended"
            );
        });
        #[cfg(feature = "metrics")]
        self.numbers.end(
            seen,
            end,
            &super::numbers::Sums {
                outcome,
                log,
                tally: &tally,
                resumptions,
                cached: self.cached,
                degraded: self.degraded.as_ref(),
            },
        );
    }
}

/// What the cache did for a response, by its marks.
#[cfg(feature = "cache")]
fn cached(extensions: &Extensions) -> Option<&'static str> {
    use crate::{Coalesced, Replayed, cache::CacheStatus};

    if extensions.get::<Replayed>().is_some() {
        return Some("replayed");
    }
    let status = extensions.get::<CacheStatus>()?;
    Some(match (status.hit, extensions.get::<Coalesced>()) {
        (true, _) => "hit",
        (false, Some(_)) => "shared",
        (false, None) => "miss",
    })
}

#[cfg(not(feature = "cache"))]
const fn cached(_: &Extensions) -> Option<&'static str> {
    None
}
