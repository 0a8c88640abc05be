//! The beginning of one operation: its span, its call, and the record that its response gets.

use std::sync::Arc;

use http::Response;
use http_body::Body;
use tracing::{Level, Span, field::Empty, span::Entered};

use super::{
    ObserveBody,
    call_observation::{CallObservation, span_if_enabled},
    names,
    operation::Operation,
    record::Record,
    settings::Settings,
    title::{Title, ToldTags, whole},
};
use crate::{
    AttemptLog, Failure, Frame, LlmRequest,
    protocol::publish,
    watch::{InSpan, Respond, WatchBody},
};

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

impl InSpan for OperationStart {
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

    #[inline]
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
    let span = span_if_enabled(|| span(settings, request));
    // The line at the end needs no span.
    let has_line = tracing::enabled!(target: names::OPERATION_TARGET, Level::INFO);
    if span.is_disabled() && !has_line && !cfg!(feature = "metrics") {
        return (Record::nothing(), None);
    }
    let seen = CallObservation::of(request, &span);
    #[cfg(feature = "metrics")]
    let numbers = super::numbers::Numbers::begin(settings, request);
    let call = request.call_mut();
    let opened = call.open();
    let operation = Operation::new(
        call.attempts(),
        #[cfg(feature = "metrics")]
        numbers,
    );
    (Record::operation(span, seen, operation), opened)
}

fn span<R: LlmRequest>(settings: &Settings, request: &R) -> Span {
    let (operation, model) = (request.operation(), request.model());
    let tags = request.call().tags();
    tracing::span!(
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
        { names::REASONING_LEVEL } = request.reasoning_level().as_deref(),
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
    )
}
