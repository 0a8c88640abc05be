//! The record of one attempt, and its span.

use tracing::{Level, Span, field::Empty};

use super::{
    call_observation::{CallObservation, span_if_enabled},
    names,
    one_attempt::OneAttempt,
    record::Record,
    title::{Title, whole},
};
use crate::{Candidate, LlmRequest};

/// The record of one attempt, for [`AttemptLayer`](crate::attempt::AttemptLayer).
pub(crate) fn begin_attempt<R: LlmRequest>(request: &R, number: u32) -> Record {
    let span = span_if_enabled(|| span(request, number));
    if span.is_disabled() && !cfg!(feature = "metrics") {
        return Record::nothing();
    }
    let attempt = OneAttempt::of(request);
    let seen = CallObservation::of(request, &span);
    Record::attempt(span, seen, attempt)
}

fn span<R: LlmRequest>(request: &R, number: u32) -> Span {
    let call = request.call();
    let candidate = call.candidate();
    let model = candidate.map(Candidate::model).or_else(|| request.model());
    tracing::span!(
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
        { names::REASONING_LEVEL } = request.reasoning_level().as_deref(),
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
    )
}
