//! What servers put into words alone: a suspended account, a prompt that is too long, a wait; and an envelope in a message.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tower_llm_layers::{Failure, FailureKind as K};

use super::error_of_response;
use crate::Error;

fn failure(status: u16, body: &str) -> Error {
    error_of_response(
        StatusCode::from_u16(status).unwrap(),
        &HeaderMap::new(),
        body.as_bytes(),
    )
}

#[test]
fn an_account_without_money_is_no_rejected_key_and_no_rate_limit() {
    for (body, kind) in [
        (
            r#"{"error":{"message":"Your account org-x is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}"#,
            K::InsufficientFunds,
        ),
        (
            r#"{"error":{"message":"Your account org-123<ak-xyz> is suspended, please check your plan and billing details","type":"exceeded_current_quota_error"}}"#,
            K::InsufficientFunds,
        ),
        (
            r#"{"error":{"message":"You exceeded your current token quota: <org-x> 0, please check your account balance","type":"exceeded_current_quota_error"}}"#,
            K::InsufficientFunds,
        ),
        (
            r#"{"error":{"message":"You exceeded it","type":"exceeded_current_quota_error"}}"#,
            K::QuotaExhausted,
        ),
        // A rate is a rate, and an account that is closed is closed.
        (
            r#"{"error":{"message":"Your account reached its max RPM: 3","type":"rate_limit_reached_error"}}"#,
            K::RateLimited,
        ),
        (
            r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED"}}]"#,
            K::RateLimited,
        ),
        (
            r#"{"error":{"message":"Your account has been suspended for a violation of our policies"}}"#,
            K::Auth,
        ),
    ] {
        assert_eq!(failure(429, body).kind(), kind, "{body}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_understood_in_few_words() {
    for (status, body) in [
        (
            413,
            r#"{"code":20042,"message":"input must have less than 512 tokens","data":null}"#,
        ),
        (
            500,
            r#"{"error":{"message":"internal error: 输入内容超长，请缩短后重试.","type":"internal_error"}}"#,
        ),
        (400, r#"{"error":{"message":"Prompt 超长","code":"1261"}}"#),
    ] {
        assert_eq!(failure(status, body).kind(), K::ContextLengthExceeded, "{body}");
    }
    // Too many items are another limit, which another provider may set higher.
    let list = r#"{"error":{"message":"Invalid 'input': array too long. Expected an array with maximum length 2048, but got an array with length 2049 instead.","type":"invalid_request_error","param":"input","code":"array_above_max_length"}}"#;
    let tools = list.replace("input", "tools");
    for body in [list, &*tools] {
        assert_eq!(failure(400, body).kind(), K::RejectedByProvider, "{body}");
    }
}

#[test]
fn a_wait_is_read_from_words_of_a_reset() {
    let nested = r#"{"error":{"message":"{\"error\":{\"code\":429,\"message\":\"Your quota will reset after 44m7s.\",\"details\":[{\"@type\":\"t/RetryInfo\",\"retryDelay\":\"2647.18s\"}]}}","type":"upstream_error"}}"#;
    for (body, milliseconds) in [
        (
            r#"{"error":{"code":429,"message":"You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.","status":"RESOURCE_EXHAUSTED"}}"#,
            31_447_000,
        ),
        (
            r#"{"error":{"message":"请求过于频繁，请在 30 秒后重试","type":"rate_limit_error"}}"#,
            30_000,
        ),
        (nested, 2_647_180),
    ] {
        let failed = failure(429, body);
        assert_eq!(failed.kind(), K::RateLimited, "{body}");
        assert_eq!(
            Failure::retry_after(&failed),
            Some(Duration::from_millis(milliseconds)),
            "{body}"
        );
    }
    assert_eq!(failure(429, nested).message(), "Your quota will reset after 44m7s.");
}

#[test]
fn the_body_of_an_error_tells_what_the_call_took() {
    for status in [400, 429, 500, 503] {
        for body in [
            r#"{"error":{"message":"x"},"usage":{"prompt_tokens":10,"completion_tokens":100}}"#,
            r#"{"type":"error","error":{"message":"x","usage":{"input_tokens":10,"output_tokens":100}}}"#,
            r#"data: {"error":{"message":"x"},"usage":{"prompt_tokens":10,"completion_tokens":100}}"#,
        ] {
            let usage = failure(status, body).token_usage().unwrap();
            assert_eq!((usage.prompt, usage.answer), (10, 100), "{body}");
        }
    }
    for body in ["", "<html>", "[]", r#"{"error":{"message":"x"},"usage":{}}"#] {
        assert_eq!(failure(500, body).token_usage(), None, "{body}");
    }
}
