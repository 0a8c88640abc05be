//! What went wrong, before it takes the shape of an API: status, word, message, headers.

use std::{borrow::Cow, error::Error as _};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use tower_llm_layers::{FailureKind, Phase};

use super::{body::EndpointBody, envelope::Shape, headers::write_attempts};
use crate::{Error, classify::SHOULD_RETRY};
use openrouter_wire::request::RequestError;

/// Why a client gets no answer, or no whole one.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// The stable word for it.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The field or header of the request at fault.
    pub(super) param: Option<Cow<'static, str>>,
    /// The upstream's own id: of the generation that had begun, and without one of the request that failed.
    pub(super) upstream_id: Option<String>,
    /// Boxed, so that a problem is small enough for the error of a result.
    headers: Box<HeaderMap>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            param: None,
            upstream_id: None,
            headers: Box::default(),
        }
    }

    pub(super) fn bad_request(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", message);
        problem.param = Some(param.into());
        problem
    }

    pub(super) fn too_large(largest: usize) -> Self {
        let message = format!("the request body is over {largest} bytes: send less in one call");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// `allowed` is the value of the `Allow` header.
    pub(super) fn wrong_method(method: &Method, allowed: &'static str) -> Self {
        let message = format!("{method} is not allowed here: use {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            .header(header::ALLOW, HeaderValue::from_static(allowed))
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// When to try again, in seconds, as its header says.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
    }

    pub(super) fn of_request(error: &RequestError) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string());
        problem.param = error.field().map(|field| field.to_owned().into());
        problem
    }

    pub(super) fn of_failure(error: &Error) -> Self {
        let (status, code) = told(error);
        let mut problem = Self::new(status, code, error.to_string());
        let id = error.generation_id().or_else(|| error.request_id());
        problem.upstream_id = id.map(str::to_owned);
        // What one upstream does not take of a request, such as `store` at OpenRouter; else what the upstream itself names.
        let refused = error.source().and_then(|source| source.downcast_ref::<RequestError>());
        problem.param = refused
            .and_then(RequestError::field)
            .or_else(|| error.param().filter(|_| blames_request(error.kind())))
            .map(|field| field.to_owned().into());
        if of_idempotency(error).is_some() {
            problem.param = Some("idempotency-key".into());
        }
        // To OpenAI's and Anthropic's clients trying again is no use: the stack has done that.
        if !passes_untried(error) {
            problem.headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(wait) = error.retry_after() {
            // Rounded up: earlier would be too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            problem.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        write_attempts(&mut problem.headers, error.attempts());
        problem
    }

    pub(super) fn into_response(self, shape: Shape) -> Response<EndpointBody> {
        let mut response = Response::new(EndpointBody::whole(shape.error(&self).into()));
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// Whether no attempt was sent, and what refused the call passes by itself: a client that waits is answered.
fn passes_untried(error: &Error) -> bool {
    let is_untried = error.attempts().is_none_or(|attempts| attempts.sent() == 0);
    let passes = matches!(
        error.kind(),
        FailureKind::RateLimited
            | FailureKind::Overloaded
            | FailureKind::CircuitOpen
            | FailureKind::ConcurrencyLimited
            | FailureKind::StoreUnavailable
    );
    is_untried && passes
}

/// Whether such a failure may be about a member of the request.
const fn blames_request(kind: FailureKind) -> bool {
    matches!(
        kind,
        FailureKind::BadRequest
            | FailureKind::RejectedByProvider
            | FailureKind::ContextLengthExceeded
            | FailureKind::ContentFiltered
            | FailureKind::NoEndpoint
    )
}

/// The status and word for a client: those of the kind, unless the upstream's own status means the same to a client.
fn told(error: &Error) -> (StatusCode, &'static str) {
    let kind = error.kind();
    if let (Some(word), Some(status)) = (of_idempotency(error), error.status()) {
        return (status, word);
    }
    let status = StatusCode::from_u16(kind.http_status()).unwrap_or(StatusCode::BAD_GATEWAY);
    match (kind, error.status()) {
        (
            FailureKind::NoEndpoint | FailureKind::Upstream | FailureKind::RejectedByProvider | FailureKind::BadRequest,
            Some(StatusCode::FORBIDDEN),
        ) => (StatusCode::FORBIDDEN, "upstream_forbidden"),
        (
            FailureKind::RejectedByProvider,
            Some(own @ (StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)),
        ) => (own, word(kind)),
        // It waited for another server in vain: to a client that is a timeout as well.
        (FailureKind::Upstream, Some(own)) if is_timeout(own) => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
        (FailureKind::BadRequest, Some(own)) if own.is_client_error() => (own, word(kind)),
        _ => (status, word(kind)),
    }
}

/// What is the matter with a call's idempotency key.
fn of_idempotency(error: &Error) -> Option<&'static str> {
    const WORDS: [&str; 3] = [
        "idempotency_key_reused",
        "idempotency_key_in_flight",
        "idempotency_answer_too_large",
    ];
    // An upstream's own code comes with the upstream's name or its words; ours are these.
    let code = error.code().filter(|_| error.kind() == FailureKind::BadRequest)?;
    WORDS.into_iter().find(|word| *word == code)
}

/// Whether an upstream says that it, or a server behind it, took too long: 408, 504, or Cloudflare's 524.
fn is_timeout(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 504 | 524)
}

/// What a client switches on.
const fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::BadRequest => "invalid_request",
        FailureKind::ContentFiltered => "content_policy_violation",
        FailureKind::NoEndpoint => "model_not_found",
        FailureKind::RateLimited => "rate_limit_exceeded",
        FailureKind::QuotaExhausted => "insufficient_quota",
        FailureKind::InsufficientFunds => "upstream_unaffordable",
        FailureKind::Auth => "upstream_auth",
        FailureKind::Overloaded => "upstream_overloaded",
        FailureKind::Timeout(Phase::Deadline) => "deadline_exceeded",
        FailureKind::Timeout(_) => "upstream_timeout",
        kind => kind.as_str(),
    }
}
