//! What servers put into words alone: a suspended account, a prompt that is too long, a wait; and an envelope in a message.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tower_llm_layers::{Failure, FailureKind as K, FailureScope};

use super::{error_in_body, error_of_response};
use crate::Error;
use openrouter_wire::error::UpstreamError;

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

#[test]
fn what_single_providers_say_under_a_status_of_many_meanings_is_read() {
    for (status, body, kind) in [
        // Bedrock.
        (
            400,
            r#"{"message":"The provided model identifier is invalid."}"#,
            K::NoEndpoint,
        ),
        (
            400,
            r#"{"message":"Invocation of model ID anthropic.claude-x with on-demand throughput isn\u2019t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}"#,
            K::NoEndpoint,
        ),
        (
            403,
            r#"{"message":"The security token included in the request is expired"}"#,
            K::Auth,
        ),
        (
            403,
            r#"{"message":"The security token included in the request is invalid."}"#,
            K::Auth,
        ),
        (
            403,
            r#"{"message":"The request signature we calculated does not match the signature you provided."}"#,
            K::Auth,
        ),
        // Copilot.
        (
            400,
            r#"{"error":{"message":"The requested model is not supported.","code":"model_not_supported","param":"model","type":"invalid_request_error"}}"#,
            K::NoEndpoint,
        ),
        // Databricks.
        (403, r#"{"error_code":403,"message":"Invalid access token."}"#, K::Auth),
        (
            403,
            r#"{"error_code":403,"message":"Access token has expired"}"#,
            K::Auth,
        ),
        // Azure's API Management.
        (
            403,
            r#"{"statusCode":403,"message":"Out of call volume quota. Quota will be replenished in 02:13:45."}"#,
            K::QuotaExhausted,
        ),
        // DashScope.
        (
            403,
            r#"{"error":{"message":"Free allocated quota exceeded. Disable the \"use free tier only\" mode.","type":"AllocationQuota.FreeTierOnly","code":"AllocationQuota.FreeTierOnly"}}"#,
            K::QuotaExhausted,
        ),
        (
            403,
            r#"{"code":"AllocationQuota.FreeTierOnly","message":"The free tier of the model has been exhausted."}"#,
            K::QuotaExhausted,
        ),
        (
            429,
            r#"{"code":"Throttling.AllocationQuota","message":"Allocated quota exceeded, please increase your quota limit."}"#,
            K::RateLimited,
        ),
        // StepFun.
        (
            451,
            r#"{"error":{"message":"The content you provided or machine outputted is blocked.","type":"censorship_blocked"}}"#,
            K::ContentFiltered,
        ),
        (
            451,
            r#"{"error":{"message":"Unavailable in your country"}}"#,
            K::RejectedByProvider,
        ),
        // Not about a key or a model.
        (403, r#"{"message":"Forbidden"}"#, K::NoEndpoint),
        (
            400,
            r#"{"error":{"message":"Invalid token in the grammar"}}"#,
            K::BadRequest,
        ),
    ] {
        assert_eq!(failure(status, body).kind(), kind, "{status} {body}");
    }
    // The free quota is one model's: the others of the upstream are not paused by it.
    let free = failure(403, r#"{"code":"AllocationQuota.FreeTierOnly","message":"x"}"#);
    assert_eq!(Failure::scope(&free), FailureScope::Candidate);
    let volume = failure(
        403,
        r#"{"message":"Out of call volume quota. Quota will be replenished in 02:13:45."}"#,
    );
    assert_eq!(Failure::retry_after(&volume), Some(Duration::from_secs(8_025)));
}

/// The account and its key are every caller's: one caller's words, repeated in an error, must not pause them.
#[test]
fn words_that_are_quoted_from_a_request_say_nothing_of_the_account() {
    let of_validator = |words: &str| {
        format!(
            r#"{{"object":"error","message":"1 validation error for ChatCompletionRequest\nstop\n  Input should be a valid list [type=list_type, input_value='{words}', input_type=str]","type":"BadRequestError","param":null,"code":null}}"#
        )
    };
    let of_member = |words: &str| {
        format!(
            r#"{{"error":{{"message":"'{words}' is not a tier","type":"BadRequestError","param":"service_tier","code":null}}}}"#
        )
    };
    for words in [
        "quota exceeded",
        "invalid api key",
        "insufficient balance",
        "spending limit",
        "your account is suspended",
        "too many requests",
    ] {
        for body in [of_validator(words), of_member(words)] {
            for status in [400, 422] {
                let failed = failure(status, &body);
                assert_eq!(
                    (failed.kind(), Failure::scope(&failed)),
                    (K::BadRequest, FailureScope::Candidate),
                    "{status} {body}"
                );
            }
            // Inside a success nothing names the status.
            let error = UpstreamError::parse_failed(body.as_bytes()).unwrap();
            let failed = error_in_body(&HeaderMap::new(), &error);
            assert!(
                matches!(failed.kind(), K::BadRequest | K::Upstream),
                "{body}: {}",
                failed.kind()
            );
            assert_eq!(Failure::scope(&failed), FailureScope::Candidate, "{body}");
        }
    }
    // A code is the server's own, and so are words beside a parameter that is none.
    for body in [
        r#"{"error":{"message":"x","param":"service_tier","code":"insufficient_balance"}}"#,
        r#"{"error":{"message":"Your credit balance is too low","type":"None","param":"None","code":"400"}}"#,
    ] {
        assert_eq!(failure(400, body).kind(), K::InsufficientFunds, "{body}");
    }
}
