//! What a failed exchange means: the status, the envelope and the headers, read together.

mod accounts;
mod codes;
mod filtered;
mod meanings;
mod message;
mod models;
mod numbers;
mod opaque;
#[cfg(test)]
mod open_status_tests;
mod rates;
#[cfg(test)]
mod reported_tests;
mod retry_after;
#[cfg(test)]
mod status_tests;
#[cfg(test)]
mod tests;
mod trouble;
#[cfg(test)]
mod worded_tests;
mod words;

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tower_llm_layers::{FailureKind, FailureScope, FallbackAdvice, RetryAdvice, TokenUsage};

use crate::bounds::cut;
use crate::{
    encoding::decoded,
    error::{Error, Inner},
    response::{at_tier, token_usage},
    router_metadata,
};
use codes::{effective_code, is_refusal};
use meanings::{by_words, is_of_account};
use message::{cut_words, is_blank, is_prose, words};
use opaque::{is_text, undecoded, without_envelope};
use openrouter_wire::{
    chat::ChunkProbe,
    error::{ErrorCode, UpstreamError},
    json::raw_member,
    loose::event_data,
};
pub(crate) use retry_after::{COST_HEADER, SHOULD_RETRY, headers_of_errors};
use retry_after::{retry_after, should_retry};
use words::Words;

/// The header by which OpenRouter names an answer: a [cost layer](tower_llm_layers::cost::CostLayer::generation_header) of your own looks its
/// bill up by it.
pub const GENERATION_HEADER: HeaderName = HeaderName::from_static("x-generation-id");

/// Beyond so many bytes a part of an error's body may be missing. In one that is shorter and no JSON the words are seen at once.
const LONG: usize = 64 * 1024;

/// The name of an answer, as the headers tell it.
pub(crate) fn generation_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(GENERATION_HEADER).and_then(|id| id.to_str().ok()).map(cut)
}

/// A failure that HTTP itself tells: a status that is no success, and whatever body came with it.
pub(crate) fn error_of_response(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let decoded = decoded(headers, &Bytes::copy_from_slice(body));
    let body = match &decoded {
        Ok(decoded) => &**decoded,
        // Some servers name an encoding that they do not use.
        Err(_) if is_text(body) => body,
        Err(cause) => return undecoded(status, headers, &**cause),
    };
    // Some gateways send their errors as an event, too.
    let data = event_data(body);
    let said = data.as_deref().unwrap_or(body);
    let of_part = || (said.len() > LONG).then(|| UpstreamError::parse_part(said)).flatten();
    let error = match UpstreamError::parse_failed(said).or_else(of_part) {
        Some(mut error) => {
            error.provider_code = error.provider_code.take().or_else(|| kind_in_headers(headers));
            let routed = router_metadata::attempts(said);
            build(Some(status), status.as_u16(), headers, &error).of_router(routed)
        }
        None => without_envelope(status, headers, body),
    };
    error.of_usage(reported_usage(said))
}

/// The kind of an error that AWS names in a header beside it, without the link behind it.
fn kind_in_headers(headers: &HeaderMap) -> Option<String> {
    const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
    let kind = headers.get(ERROR_TYPE)?.to_str().ok()?.split(':').next()?.trim();
    (!kind.is_empty()).then(|| cut(kind).to_owned())
}

/// What the body of an error says that the call took: beside the error, or in it.
fn reported_usage(body: &[u8]) -> Option<TokenUsage> {
    let probe = ChunkProbe::read(body).ok()?;
    let inside = || {
        let objects = ["error", "response"].into_iter();
        objects
            .filter_map(|name| raw_member(body, name))
            .find_map(|object| raw_member(object, "usage"))
    };
    at_tier(token_usage(probe.usage_raw().or_else(inside)?), probe.service_tier())
}

/// A failure that comes inside a success: in the body of a 200, or as an event of a stream.
pub(crate) fn error_in_body(headers: &HeaderMap, error: &UpstreamError) -> Error {
    // What the headers say of a retry is about the success that they came with.
    build(None, effective_code(error), headers, error)
}

fn build(status: Option<StatusCode>, code: u16, headers: &HeaderMap, error: &UpstreamError) -> Error {
    let (kind, scope) = kind_of(code, error);
    let own = |name: &str| cut(name).to_owned();
    let asked = status.and_then(|_| should_retry(headers));
    let inner = Inner {
        // No status that was not sent.
        status: status.or_else(|| reported_status(error)),
        code: error.code.as_ref().map(ToString::to_string),
        error_type: error.error_type.clone(),
        message: cut_words(words(error)).into(),
        param: error.param.as_deref().filter(|param| !is_prose(param)).map(own),
        request_id: error.generation_id.as_deref().map(own),
        retry_after: retry_after(headers, Some(error), is_limit(kind), SystemTime::now()),
        affordable_tokens: error.affordable_tokens(),
        scope,
        // The pool of free models is counted by account.
        limits_key: kind == FailureKind::RateLimited && scope == FailureScope::Pool,
        provider: error.provider_name.clone(),
        ..Inner::default()
    };
    let failure = finish(kind, asked, inner);
    let is_used_up = matches!(kind, FailureKind::InsufficientFunds | FailureKind::QuotaExhausted);
    if is_used_up && scope == FailureScope::Candidate && is_of_own_key(error) {
        // What is empty is one provider's account: neither the price nor the pool of the next candidate matters.
        let mut advice = kind.advice();
        advice.fall_back = FallbackAdvice::Any;
        return failure.advised(advice);
    }
    failure
}

/// Whether the error is about the account's own key at a provider behind the router.
fn is_of_own_key(error: &UpstreamError) -> bool {
    error.is_byok == Some(true) && (error.provider_name.is_some() || error.raw.is_some())
}

/// Whether the headers that tell of limits are about such a failure.
const fn is_limit(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::RateLimited | FailureKind::QuotaExhausted)
}

/// The HTTP status that an error speaks of.
fn reported_status(error: &UpstreamError) -> Option<StatusCode> {
    let status = error.status().filter(|code| (400..600).contains(code));
    status.and_then(|code| StatusCode::from_u16(code).ok())
}

/// The error; a conflict, a misdirected or a too early request passes soon, and is sent once more. `asked`: whether the upstream asks to repeat the
/// same request, which it knows best. Other keys and shorter answers make another one.
fn finish(kind: FailureKind, asked: Option<bool>, mut inner: Inner) -> Error {
    let status = inner.status.map(|status| status.as_u16());
    let passes_soon = kind == FailureKind::RejectedByProvider && matches!(status, Some(409 | 421 | 425));
    let own = if passes_soon {
        RetryAdvice::Once
    } else {
        kind.advice().retry
    };
    let retry = match (asked, own) {
        (Some(false), RetryAdvice::Backoff | RetryAdvice::Once | RetryAdvice::IfAlone) => RetryAdvice::Never,
        (Some(true), RetryAdvice::Never) => RetryAdvice::Once,
        _ => own,
    };
    let mut advice = kind.advice();
    if retry != advice.retry {
        advice.retry = retry;
        inner.marks.set_advice(advice);
    }
    Error::with(kind, inner)
}

/// The kind and reach of a failure with an envelope.
fn kind_of(code: u16, error: &UpstreamError) -> (FailureKind, FailureScope) {
    let typed = error.error_type.as_deref().unwrap_or_default();
    let text_code = match &error.code {
        Some(ErrorCode::Text(text)) => text.as_str(),
        _ => "",
    };
    if is_refusal(typed) || is_refusal(text_code) {
        return (FailureKind::ContentFiltered, FailureScope::Candidate);
    }
    let said = Words::of_error(error);
    let is_a_provider_s = error.provider_name.is_some() || (error.raw.is_some() && is_blank(&error.message));
    match by_words(code, &said) {
        // A model that one provider behind the router does not have is not one that the router does not know.
        Some((FailureKind::NoEndpoint, _)) if error.provider_name.is_some() => {}
        // The caller's own account at one provider is empty: those at the others may not be. Its key there is none of the router's.
        Some((kind, _)) if is_of_account(kind) && kind != FailureKind::Auth && is_of_own_key(error) => {
            return (kind, FailureScope::Candidate);
        }
        // A provider's account and key behind the router are the router's trouble.
        Some((kind, _)) if is_of_account(kind) && is_a_provider_s => {
            return (FailureKind::Upstream, FailureScope::Candidate);
        }
        Some(verdict) => return verdict,
        None => {}
    }
    match code {
        401 if error.provider_name.is_some() => (FailureKind::Upstream, FailureScope::Candidate),
        401 => (FailureKind::Auth, FailureScope::Upstream),
        400 | 413 | 422 => bad_request(code, error, text_code, &said),
        402 => payment(error, &said),
        403 => forbidden(error),
        // A server of few statuses names the parameter in its code.
        500 | 502 if said.have_parameter_code() => (FailureKind::RejectedByProvider, FailureScope::Candidate),
        // 502 stands for an error inside a success that has no status.
        429 | 500 | 502 if said.have_overload_code() => (FailureKind::Overloaded, FailureScope::Candidate),
        429 => rate_limited(error, typed, text_code),
        code => by_status(code),
    }
}

fn by_status(code: u16) -> (FailureKind, FailureScope) {
    let kind = match code {
        404 | 410 => FailureKind::NoEndpoint,
        401 => return (FailureKind::Auth, FailureScope::Upstream),
        402 => FailureKind::InsufficientFunds,
        // The proxy on the way refuses us.
        407 => FailureKind::Connect,
        // 424: the model behind the provider failed.
        408 | 424 => FailureKind::Upstream,
        429 => FailureKind::RateLimited,
        // 498: Groq has no capacity left.
        498 | 503 | 529 => FailureKind::Overloaded,
        500..=599 => FailureKind::Upstream,
        // A guardrail in front of the model.
        446 => FailureKind::ContentFiltered,
        400 | 413 | 422 => FailureKind::BadRequest,
        // About the exchange or the place, or one server's own: not about the request.
        400..=499 => FailureKind::RejectedByProvider,
        // A redirect or an informational status instead of an answer.
        _ => FailureKind::Malformed,
    };
    (kind, FailureScope::Candidate)
}

/// The router's own types of requests that it sends to no provider.
const OF_THE_ROUTER: [&str; 3] = ["invalid_request", "payload_too_large", "unprocessable"];

/// Groq's word for a call of a tool that its model wrote wrongly.
const MODELS_OWN_CALL: &str = "tool_use_failed";

/// A request is bad for everyone, unless it was one provider that refused it, or the model that is unknown.
fn bad_request(code: u16, error: &UpstreamError, text_code: &str, said: &Words) -> (FailureKind, FailureScope) {
    if availability(error).is_some() || text_code == "model_not_found" {
        (FailureKind::NoEndpoint, FailureScope::Candidate)
    } else if error.provider_name.is_some() || error.has_failed_generation || text_code == MODELS_OWN_CALL {
        (FailureKind::RejectedByProvider, FailureScope::Candidate)
    } else if code == 413 && error.error_type.as_deref() == Some("request_too_large") {
        // The edge in front of a provider: another upstream may take as large a body.
        (FailureKind::RejectedByProvider, FailureScope::Upstream)
    } else if !error
        .error_type
        .as_deref()
        .is_some_and(|typed| OF_THE_ROUTER.contains(&typed))
        && (said.is_not_supported() || said.is_model_withheld() || is_about_the_model(error, said))
    {
        (FailureKind::RejectedByProvider, FailureScope::Candidate)
    } else {
        (FailureKind::BadRequest, FailureScope::Candidate)
    }
}

/// Whether the model's name is what the server does not take.
fn is_about_the_model(error: &UpstreamError, said: &Words) -> bool {
    error.param.as_deref() == Some("model") && !said.is_no_name_of_a_model()
}

/// Why no endpoint is available, in a word.
fn availability(error: &UpstreamError) -> Option<&str> {
    error.availability.as_ref()?.code.as_deref()
}

fn is_key_limit(error: &UpstreamError) -> bool {
    error.limit_source.as_deref() == Some("openrouter_key_limit") || error.message.contains("Key limit exceeded")
}

fn payment(error: &UpstreamError, said: &Words) -> (FailureKind, FailureScope) {
    if is_of_own_key(error) {
        return (FailureKind::InsufficientFunds, FailureScope::Candidate);
    }
    if error.provider_name.is_some() {
        return (FailureKind::Upstream, FailureScope::Candidate);
    }
    if is_key_limit(error) {
        return (FailureKind::QuotaExhausted, FailureScope::Upstream);
    }
    match (error.limit_source.as_deref(), error.reason.as_deref()) {
        // Too large for the allowance at any time: fewer tokens help, waiting does not.
        (_, Some("weight_exceeds_budget")) => (FailureKind::InsufficientFunds, FailureScope::Candidate),
        (Some("openrouter_in_flight_budget"), _) | (_, Some("in_flight_budget_exhausted")) => {
            (FailureKind::RateLimited, FailureScope::Upstream)
        }
        _ if error.affordable_tokens().is_some() => (FailureKind::InsufficientFunds, FailureScope::Candidate),
        // An allowance that time fills again, and no debt.
        _ if error.reported_wait().is_some() && !said.is_no_funds() => {
            (FailureKind::RateLimited, FailureScope::Upstream)
        }
        // An empty balance stops free models as well.
        _ => (FailureKind::InsufficientFunds, FailureScope::Upstream),
    }
}

fn forbidden(error: &UpstreamError) -> (FailureKind, FailureScope) {
    let budget = matches!(
        error.limit_source.as_deref(),
        Some("openrouter_guardrail_budget" | "openrouter_workspace_budget")
    );
    if budget || is_key_limit(error) {
        (FailureKind::QuotaExhausted, FailureScope::Upstream)
    } else if !error.reasons.is_empty() || !error.patterns.is_empty() || error.message.contains("requires moderation") {
        (FailureKind::ContentFiltered, FailureScope::Candidate)
    } else if availability(error).is_some() {
        (FailureKind::NoEndpoint, FailureScope::Candidate)
    } else if error.provider_name.is_some() {
        (FailureKind::Upstream, FailureScope::Candidate)
    } else if error.message.contains("management key") {
        (FailureKind::Auth, FailureScope::Upstream)
    } else {
        // The cause is unknown: the key is not taken for rejected on a guess.
        (FailureKind::NoEndpoint, FailureScope::Candidate)
    }
}

fn rate_limited(error: &UpstreamError, typed: &str, text_code: &str) -> (FailureKind, FailureScope) {
    let (source, message) = (
        error.limit_source.as_deref().unwrap_or_default(),
        error.message.as_str(),
    );
    if source == "openrouter_free_tier_daily" || message.contains("free-models-per-day") {
        (FailureKind::QuotaExhausted, FailureScope::Pool)
    } else if message.contains("free-models-per-min") {
        (FailureKind::RateLimited, FailureScope::Pool)
    } else if typed == "insufficient_quota" || text_code == "insufficient_quota" {
        let scope = if is_of_own_key(error) {
            FailureScope::Candidate
        } else {
            FailureScope::Upstream
        };
        (FailureKind::QuotaExhausted, scope)
    } else {
        (FailureKind::RateLimited, FailureScope::Candidate)
    }
}
