//! Errors as an OpenAI client reads them.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use tower_llm_layers::{FailureKind, Phase};

use super::{body::EndpointBody, headers::tell_attempts};
use crate::{Error, request::RequestError};

/// Tells OpenAI's clients that trying again is no use: the stack has done that.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// OpenAI's error envelope.
#[derive(Debug, Serialize)]
pub(super) struct Envelope {
    error: Detail,
}

#[derive(Debug, Serialize)]
struct Detail {
    message: String,
    r#type: &'static str,
    param: Option<String>,
    code: &'static str,
}

/// What a client gets, before it is put into a response or an event.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    envelope: Envelope,
    headers: HeaderMap,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let r#type = match status.as_u16() {
            402 => "insufficient_quota",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        let error = Detail {
            message: message.into(),
            r#type,
            param: None,
            code,
        };
        Self {
            status,
            envelope: Envelope { error },
            headers: HeaderMap::new(),
        }
    }

    pub(super) fn too_large(largest: usize) -> Self {
        let message = format!("the request body is over {largest} bytes: send less in one call");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(super) fn of_request(error: &RequestError) -> Self {
        let mut problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string());
        problem.envelope.error.param = error.field().map(str::to_owned);
        problem
    }

    pub(super) fn of_failure(error: &Error) -> Self {
        let (status, code) = told(error);
        let mut problem = Self::new(status, code, error.to_string());
        problem.headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        if let Some(wait) = error.retry_after() {
            // Rounded up: earlier would be too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            problem.headers.insert(header::RETRY_AFTER, seconds.into());
        }
        tell_attempts(&mut problem.headers, error.attempts());
        problem
    }

    pub(super) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(super) fn into_response(self) -> Response<EndpointBody> {
        // Of plain strings: it always serialises.
        let body = serde_json::to_vec(&self.envelope).unwrap_or_default();
        let mut response = Response::new(EndpointBody::whole(body.into()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The status and code for a client.
///
/// A failure of our own key or balance is not the client's: it must not look like its own 401 or 402. A budget of ours is set
/// for the client, so its refusal is the client's own 402.
fn told(error: &Error) -> (StatusCode, &'static str) {
    match error.kind() {
        FailureKind::NoEndpoint | FailureKind::Upstream | FailureKind::RejectedByProvider
            if error.status() == Some(StatusCode::FORBIDDEN) =>
        {
            (StatusCode::FORBIDDEN, "permission_denied")
        }
        // Only a status that is about the request means the same to a client.
        FailureKind::RejectedByProvider => {
            let told = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNPROCESSABLE_ENTITY];
            let status = error.status().filter(|status| told.contains(status));
            (status.unwrap_or(StatusCode::BAD_REQUEST), "rejected_by_provider")
        }
        FailureKind::BadRequest => {
            let status = error
                .status()
                .filter(StatusCode::is_client_error)
                .unwrap_or(StatusCode::BAD_REQUEST);
            (status, "invalid_request")
        }
        FailureKind::ContextLengthExceeded => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
        FailureKind::ContentFiltered => (StatusCode::BAD_REQUEST, "content_policy_violation"),
        FailureKind::NoEndpoint => (StatusCode::NOT_FOUND, "model_not_found"),
        FailureKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded"),
        FailureKind::QuotaExhausted => (StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"),
        FailureKind::InsufficientFunds => (StatusCode::SERVICE_UNAVAILABLE, "upstream_unaffordable"),
        FailureKind::BudgetExceeded => (StatusCode::PAYMENT_REQUIRED, "budget_exceeded"),
        FailureKind::Auth => (StatusCode::BAD_GATEWAY, "upstream_auth"),
        FailureKind::CircuitOpen => (StatusCode::SERVICE_UNAVAILABLE, "circuit_open"),
        FailureKind::ConcurrencyLimited => (StatusCode::SERVICE_UNAVAILABLE, "saturated"),
        FailureKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "upstream_overloaded"),
        FailureKind::Timeout(Phase::Deadline) => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
        FailureKind::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
        FailureKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        kind => (StatusCode::BAD_GATEWAY, kind.as_str()),
    }
}
