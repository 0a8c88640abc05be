//! The status that an error's words stand for, if none came with it.

use super::rates::is_throttle_word;
use super::words::Words;
use openrouter_wire::error::{ErrorCode, UpstreamError};

/// The type of errors that servers send for any request that they refuse, whatever the code beside it.
const OF_ANY_REQUEST: &str = "invalid_request_error";

/// The status that an error inside a 200 stands for: that of its number, of its words, of its text.
pub(super) fn effective_code(error: &UpstreamError) -> u16 {
    let by_number = error.status().filter(|code| (400..600).contains(code));
    let code = match &error.code {
        Some(ErrorCode::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    // A word that is not known hides none that is, and one that says little none that says more.
    let words = || {
        [error.error_type.as_deref(), code, error.kind.as_deref()]
            .into_iter()
            .flatten()
    };
    by_number
        .or_else(|| words().filter(|word| !is_vague(word)).find_map(by_word))
        .or_else(|| words().filter(|word| *word == OF_ANY_REQUEST).find_map(by_word))
        .or_else(|| Words::of_error(error).status())
        .or_else(|| words().find_map(by_word))
        .unwrap_or(502)
}

/// A type that stands beside any code.
fn is_vague(word: &str) -> bool {
    matches!(word, OF_ANY_REQUEST | "api_error" | "server_error")
}

fn by_word(word: &str) -> Option<u16> {
    Some(match word {
        "rate_limit_exceeded" | "rate_limit_error" | "insufficient_quota" => 429,
        // The words of gRPC, in Google's errors, and of AWS.
        "RESOURCE_EXHAUSTED" => 429,
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
        word if is_throttle_word(word) => 429,
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
            ("api_error", 500),
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
            // A type of many errors hides no code.
            (
                r#"{"error":{"code":"rate_limit_error","message":"x","type":"invalid_request_error","param":null}}"#,
                429,
            ),
            (
                r#"{"error":{"code":"rate_limit_exceeded","message":"x","type":"server_error"}}"#,
                429,
            ),
            (
                r#"{"type":"error","error":{"code":"overloaded","type":"api_error","message":"x"}}"#,
                503,
            ),
        ] {
            assert_eq!(judged(body).0, code, "{body}");
        }
    }

    #[test]
    fn the_text_chooses_the_status_if_no_word_does() {
        let base_resp = |code: u16, text: &str| {
            format!(r#"{{"choices":null,"base_resp":{{"status_code":{code},"status_msg":"{text}"}}}}"#)
        };
        for (code, text, status) in [
            (1002, "rate limit exceeded(RPM)", 429),
            (1039, "token limit exceeded(TPM)", 429),
            (1004, "login failed", 401),
            (2013, "invalid params", 400),
            (1000, "unknown error", 502),
        ] {
            assert_eq!(judged(&base_resp(code, text)).0, status, "{text}");
        }
        for (body, status) in [
            (r#"{"error":{"message":"Rate limit reached for this model"}}"#, 429),
            (r#"{"error":"Too Many Requests"}"#, 429),
            (
                r#"{"type":"error","error":{"type":"api_error","message":"rate limit exceeded"}}"#,
                429,
            ),
            (r#"{"error":{"message":"Incorrect API key provided"}}"#, 401),
            // What says who is at fault is believed.
            (
                r#"{"error":{"message":"Invalid value for 'rpm'","type":"invalid_request_error"}}"#,
                400,
            ),
            (
                r#"{"error":{"message":"rate limiter is down: rate limit","code":503}}"#,
                503,
            ),
            (r#"{"error":{"message":"The server had an error"}}"#, 502),
            (r#"{"error":{"message":"content must be a string"}}"#, 502),
        ] {
            assert_eq!(judged(body).0, status, "{body}");
        }
    }
}
