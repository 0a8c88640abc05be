//! One HTTP exchange with an upstream: no retries, no timeouts but the dial's.

mod attribution;
mod builder;
mod classify;
mod clients;
mod config;
mod connect;
mod limit_status;
mod outgoing;
mod retry_after;
mod sent_key;
mod service;
mod upstream;

use http::HeaderMap;

pub(crate) use self::clients::InFlight;
pub(crate) use self::retry_after::headers_of_errors;
pub(crate) use self::sent_key::SentKey;
pub(crate) use self::service::{generation_id, read_error};
pub use self::{
    attribution::Attribution,
    builder::TransportBuilder,
    config::{TransportError, TransportProblem},
    service::{GENERATION_HEADER, Transport, TransportFuture},
    upstream::{ANTHROPIC, ANTHROPIC_URL, Dialect, OPENAI, OPENAI_URL, OPENROUTER, OPENROUTER_URL, Upstream},
};
use crate::{Error, response::UpstreamError};

/// A failure that comes inside a success.
pub(crate) fn error_in_body(headers: &HeaderMap, error: &UpstreamError) -> Error {
    classify::from_body(headers, error)
}

/// A failure that HTTP itself tells.
pub(crate) fn error_of_response(status: http::StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    classify::from_response(status, headers, body)
}
