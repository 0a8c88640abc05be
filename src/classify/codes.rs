//! The status that an error's words stand for, if none came with it.

use openrouter_wire::error::{ErrorCode, UpstreamError};

/// The status that an error inside a 200 stands for.
pub(super) fn effective_code(error: &UpstreamError) -> u16 {
    let by_number = error.status().filter(|code| (400..600).contains(code));
    let code = match &error.code {
        Some(ErrorCode::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let words = [error.error_type.as_deref(), code];
    by_number
        .or_else(|| words.into_iter().flatten().find_map(by_word))
        .unwrap_or(502)
}

fn by_word(word: &str) -> Option<u16> {
    Some(match word {
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" => 429,
        // The words of gRPC, in Google's errors, and of AWS.
        "RESOURCE_EXHAUSTED" | "ThrottlingException" => 429,
        "UNAVAILABLE" | "ServiceUnavailableException" => 503,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "NOT_FOUND" => 404,
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" => 400,
        "DEADLINE_EXCEEDED" => 504,
        "INTERNAL" => 500,
        "authentication" | "authentication_error" | "invalid_api_key" => 401,
        "payment_required" | "billing_error" => 402,
        "permission_denied" | "permission_error" => 403,
        "not_found" | "not_found_error" | "model_not_found" => 404,
        "provider_overloaded" | "overloaded_error" | "overloaded" => 503,
        "provider_unavailable" => 502,
        "server" | "server_error" | "unmapped" | "api_error" => 500,
        "timeout" | "timeout_error" | "vector_store_timeout" => 504,
        "conflict_error" => 409,
        "payload_too_large" | "request_too_large" => 413,
        "unprocessable" => 422,
        "context_length_exceeded" | "max_tokens_exceeded" | "token_limit_exceeded" | "string_too_long" => 400,
        word if is_refusal(word) => 400,
        "invalid_request" | "invalid_request_error" | "invalid_prompt" => 400,
        _ => return None,
    })
}

/// Whether it is the word of a refusal on policy or moderation.
pub(super) fn is_refusal(word: &str) -> bool {
    matches!(
        word,
        "content_policy_violation"
            | "refusal"
            | "content_filter"
            | "image_content_policy_violation"
            | "bio_policy"
            | "cyber_policy"
            | "misalignment_policy_violation"
    )
}
