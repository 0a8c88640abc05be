//! The status that an error's words stand for, if none came with it.

use openrouter_wire::error::{ErrorCode, UpstreamError};

/// The status that an error inside a 200 stands for.
pub(super) fn effective_code(error: &UpstreamError) -> u16 {
    let by_number = error.status().filter(|code| (400..600).contains(code));
    let code = match &error.code {
        Some(ErrorCode::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    // A word that is not known hides none that is.
    let words = [error.error_type.as_deref(), code, error.kind.as_deref()];
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
        "provider_overloaded" | "overloaded_error" | "overloaded" | "server_is_overloaded" | "slow_down" => 503,
        "provider_unavailable" => 502,
        "server" | "server_error" | "unmapped" | "api_error" => 500,
        "timeout" | "timeout_error" | "vector_store_timeout" => 504,
        "conflict_error" => 409,
        "precondition_failed" => 412,
        "payload_too_large" | "request_too_large" => 413,
        "unprocessable" => 422,
        "context_length_exceeded" | "max_tokens_exceeded" | "token_limit_exceeded" | "string_too_long" => 400,
        word if is_refusal(word) || is_of_an_image(word) || word == "data_residency_mismatch" => 400,
        "invalid_request" | "invalid_request_error" | "invalid_prompt" => 400,
        _ => return None,
    })
}

/// Whether it is the word for a picture of the request that cannot be fetched or read.
fn is_of_an_image(word: &str) -> bool {
    matches!(
        word,
        "invalid_image"
            | "invalid_image_url"
            | "invalid_image_format"
            | "invalid_base64_image"
            | "invalid_image_mode"
            | "image_too_large"
            | "image_too_small"
            | "image_parse_error"
            | "image_file_too_large"
            | "image_file_not_found"
            | "image_not_found"
            | "image_download_failed"
            | "unsupported_image_format"
            | "unsupported_image_media_type"
            | "empty_image_file"
            | "failed_to_download_image"
    )
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

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tower_llm_layers::{Failure, FailureKind as K, Health};

    use super::super::error_in_body;
    use super::*;

    fn judged(body: &str) -> (u16, K, Health) {
        let error = UpstreamError::parse(body.as_bytes()).unwrap();
        let failure = error_in_body(&HeaderMap::new(), &error);
        (effective_code(&error), failure.kind(), Failure::advice(&failure).health)
    }

    #[test]
    fn a_picture_that_cannot_be_read_is_the_requests_own_fault() {
        for word in [
            "invalid_image",
            "invalid_image_url",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "image_file_not_found",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
            "data_residency_mismatch",
            "image_not_found",
            "image_download_failed",
            "unsupported_image_format",
        ] {
            for body in [
                format!(
                    r#"{{"type":"response.failed","response":{{"status":"failed","error":{{"code":"{word}","message":"x"}}}}}}"#
                ),
                format!(r#"{{"error":{{"message":"x","metadata":{{"error_type":"{word}"}}}}}}"#),
            ] {
                // Of those with a limit another provider's may be wider.
                let (code, kind, health) = judged(&body);
                assert!(matches!(kind, K::BadRequest | K::RejectedByProvider), "{body}: {kind}");
                assert_eq!((code, health), (400, Health::Neutral), "{body}");
            }
        }
        let provider = r#"{"error":{"message":"x","metadata":{"error_type":"image_not_found","provider_name":"P"}}}"#;
        assert_eq!(judged(provider), (400, K::RejectedByProvider, Health::Neutral));
    }

    #[test]
    fn other_words_have_the_status_that_they_stand_for() {
        for (word, code) in [
            ("precondition_failed", 412),
            ("server_is_overloaded", 503),
            ("slow_down", 503),
            ("image_content_policy_violation", 400),
            ("new_word", 502),
        ] {
            let body = format!(r#"{{"error":{{"code":"{word}","message":"x"}}}}"#);
            assert_eq!(judged(&body).0, code, "{word}");
        }
    }

    #[test]
    fn an_unknown_word_hides_no_known_type() {
        for (body, code) in [
            (
                r#"{"type":"error","error":{"type":"overloaded_error","error_type":"new_word","message":"x"}}"#,
                503,
            ),
            (
                r#"{"error":{"type":"invalid_request_error","code":"new_code","message":"x"}}"#,
                400,
            ),
            (
                r#"{"error":{"type":"invalid_request_error","message":"x","metadata":{"error_type":"new_word"}}}"#,
                400,
            ),
            (
                r#"{"error":{"type":"invalid_request_error","error_type":"rate_limit_exceeded","message":"x"}}"#,
                429,
            ),
        ] {
            assert_eq!(judged(body).0, code, "{body}");
        }
    }
}
