//! Errors in the shape of each API.

use http::StatusCode;
use serde::Serialize;

use super::problem::Problem;
use crate::Api;

/// Whose error envelope an endpoint writes, and whose convention for the end of a stream of responses.
///
/// | | before the answer begins | `[DONE]` behind a stream of responses |
/// | --- | --- | --- |
/// | `OpenAi` | `{"error":{"message","type","param","code"}}` with a word in `code` | no, as at OpenAI |
/// | `OpenRouter` | the same with the HTTP status as a number in `code`, and the word in `metadata.error_type` | yes, as in OpenRouter's schema |
///
/// OpenRouter's SDKs refuse an error whose `code` is a word. The messages API has Anthropic's envelope under both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Envelope {
    /// OpenAI's.
    #[default]
    OpenAi,
    /// OpenRouter's.
    OpenRouter,
}

/// The API and the envelope of an endpoint: how its errors and its streams are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) api: Api,
    pub(super) envelope: Envelope,
}

/// OpenAI's and OpenRouter's envelope. The members that only one of them knows are harmless to the other's SDK.
#[derive(Serialize)]
struct Enveloped<'a> {
    error: Detail<'a>,
}

#[derive(Serialize)]
pub(super) struct Detail<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'a str>,
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Code {
    Word(&'static str),
    Status(u16),
}

#[derive(Serialize)]
struct Metadata<'a> {
    error_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
}

/// Anthropic's envelope, which is also its event.
#[derive(Serialize)]
pub(super) struct MessagesError<'a> {
    r#type: &'static str,
    error: MessagesDetail<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct MessagesDetail<'a> {
    r#type: &'static str,
    message: &'a str,
    /// OpenRouter's place for the word.
    error_type: &'static str,
    /// Anthropic's place for it.
    details: ErrorCode,
}

#[derive(Serialize)]
struct ErrorCode {
    error_code: &'static str,
}

impl Shape {
    /// The body of a response that tells this error.
    pub(super) fn error(self, problem: &Problem) -> Vec<u8> {
        if self.api == Api::Messages {
            return json(&MessagesError::of(problem));
        }
        let error = match self.envelope {
            Envelope::OpenAi => Detail::with_word(problem),
            Envelope::OpenRouter => Detail::with_status(problem),
        };
        json(&Enveloped { error })
    }
}

impl<'a> Detail<'a> {
    /// As OpenAI's SDKs read it.
    pub(super) fn with_word(problem: &'a Problem) -> Self {
        Self {
            message: &problem.message,
            r#type: openai_type(problem.status),
            param: problem.param.as_deref(),
            code: Code::Word(problem.code),
            metadata: None,
        }
    }

    /// As OpenRouter's SDKs read it.
    pub(super) fn with_status(problem: &'a Problem) -> Self {
        Self {
            code: Code::Status(problem.status.as_u16()),
            metadata: Some(Metadata {
                error_type: problem.code,
                param: problem.param.as_deref(),
            }),
            ..Self::with_word(problem)
        }
    }
}

impl<'a> MessagesError<'a> {
    pub(super) fn of(problem: &'a Problem) -> Self {
        Self {
            r#type: "error",
            error: MessagesDetail {
                r#type: anthropic_type(problem.status, problem.code),
                message: &problem.message,
                error_type: problem.code,
                details: ErrorCode {
                    error_code: problem.code,
                },
            },
            request_id: problem.upstream_id.as_deref(),
        }
    }
}

fn openai_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

fn anthropic_type(status: StatusCode, code: &str) -> &'static str {
    match (status.as_u16(), code) {
        (401, _) => "authentication_error",
        (402, _) => "billing_error",
        (403, _) => "permission_error",
        (404, _) => "not_found_error",
        (408 | 504, _) => "timeout_error",
        (409, _) => "conflict_error",
        (413, _) => "request_too_large",
        (429, _) => "rate_limit_error",
        (400..=499, _) => "invalid_request_error",
        (529, _) | (503, "upstream_overloaded" | "circuit_open" | "concurrency_limited" | "body_bytes_limited") => {
            "overloaded_error"
        }
        _ => "api_error",
    }
}

/// Strings and numbers always serialise.
pub(super) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
