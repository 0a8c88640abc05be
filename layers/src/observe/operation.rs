//! The span and the metrics of one operation.

use std::sync::Arc;

use http::{Extensions, Response};
use http_body::Body;
use tracing::{Level, Span, field::Empty, span::Entered};

use super::{
    ObserveBody,
    end::End,
    names,
    record::Record,
    seen::Seen,
    settings::Settings,
    tally::Tally,
    title::{Title, ToldTags},
};
use crate::{
    AttemptLog, Candidate, Degraded, Failure, FailureKind, Frame, LlmRequest, Resumed,
    protocol::publish,
    util::whole,
    watch::{Respond, Scope, WatchBody},
};

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

/// An operation whose response has not come.
#[derive(Debug)]
pub struct OperationStart {
    record: Record,
    opened: Option<AttemptLog>,
}

impl OperationStart {
    /// Begins the record of an operation, and opens its call.
    pub(super) fn begin<R: LlmRequest>(settings: &Arc<Settings>, request: &mut R) -> Self {
        let (record, opened) = begin(settings, request);
        Self { record, opened }
    }
}

impl Scope for OperationStart {
    fn enter(&self) -> Option<Entered<'_>> {
        self.record.enter()
    }
}

impl<B, E> Respond<Response<B>, E> for OperationStart
where
    E: Failure,
    B: Body<Error = E>,
    B::Data: Frame,
{
    type Response = Response<ObserveBody<B>>;

    fn respond(mut self, result: Result<Response<B>, E>) -> Result<Self::Response, E> {
        match publish(&mut self.opened, result) {
            Ok(response) => {
                self.record.responded(response.extensions());
                Ok(response.map(|body| WatchBody::new(body, self.record)))
            }
            Err(error) => {
                self.record.failed(&error);
                Err(error)
            }
        }
    }
}

fn begin<R: LlmRequest>(settings: &Arc<Settings>, request: &mut R) -> (Record, Option<AttemptLog>) {
    let (operation, model) = (request.operation(), request.model());
    let tags = request.call().tags();
    let span = tracing::span!(
        target: names::OPERATION_TARGET,
        Level::DEBUG,
        names::OPERATION_SPAN,
        { names::SPAN_NAME } = %Title(operation, model),
        { names::SPAN_KIND } = "client",
        { names::STATUS_CODE } = Empty,
        { names::OPERATION } = operation,
        { names::PROVIDER } = Empty,
        { names::REQUEST_MODEL } = model,
        { names::REQUEST_STREAM } = request.is_streaming(),
        { names::REQUEST_MAX_TOKENS } = request.max_tokens().map(whole),
        { names::CONVERSATION_ID } = request.conversation().as_deref(),
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
        { names::ATTEMPTS } = Empty,
        { names::RETRY_COUNT } = Empty,
        { names::FALLBACK_COUNT } = Empty,
        { names::RESUMPTION_COUNT } = Empty,
        { names::COST } = Empty,
        { names::COST_WASTED } = Empty,
        { names::CACHE } = Empty,
        { names::DEGRADED_SOURCE } = Empty,
        { names::DEGRADED_REASON } = Empty,
        { names::TAGS } = ToldTags::of(settings, tags).map(tracing::field::display),
    );
    // The line at the end needs no span.
    let has_line = tracing::enabled!(target: names::OPERATION_TARGET, Level::INFO);
    if span.is_disabled() && !has_line && !cfg!(feature = "metrics") {
        return (Record::nothing(), None);
    }
    let seen = Seen::of(request, &span);
    #[cfg(feature = "metrics")]
    let numbers = super::numbers::Numbers::begin(settings, request);
    let call = request.call_mut();
    let opened = call.open();
    let operation = Operation {
        log: call.attempts(),
        degraded: None,
        resumed: None,
        cached: None,
        #[cfg(feature = "metrics")]
        numbers,
    };
    (Record::operation(span, seen, operation), opened)
}

impl Operation {
    /// What the layers below have marked the answer with.
    pub(super) fn responded(&mut self, extensions: &Extensions) {
        self.degraded = extensions.get::<Degraded>().cloned();
        self.resumed = extensions.get::<Resumed>().cloned();
        self.cached = cached(extensions);
    }

    /// A frame that shows something came so long after the one before.
    #[cfg(feature = "metrics")]
    pub(super) fn chunk_after(&mut self, gap: std::time::Duration, seen: &Seen) {
        self.numbers.chunk_after(gap, seen, self.log.as_ref());
    }

    pub(super) fn end(mut self, span: &Span, seen: &Seen, end: End, summary: Option<&str>) {
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
    use crate::{Coalesced, cache::CacheStatus};

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
