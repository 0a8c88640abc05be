//! Errors whose words or code say more than their status: a server in trouble, a spent allowance, a wrong parameter, a wait in plain words.

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
fn a_server_in_trouble_is_one_under_a_status_that_blames_the_request() {
    let body = |words: &str| {
        format!(r#"{{"error":{{"message":"{words}","type":"invalid_request_error","param":null,"code":null}}}}"#)
    };
    for (words, kind) in [
        (
            "Our servers are currently overloaded. Please try again later.",
            K::Overloaded,
        ),
        (
            "Selected model is at capacity. Please try a different model.",
            K::Overloaded,
        ),
        ("The model has crashed without additional information.", K::Upstream),
        ("Connection error.", K::Upstream),
        // The request is at fault, whatever it quotes.
        ("Could not parse 'our servers are overloaded' as JSON", K::BadRequest),
        (
            "messages[0].content: 'the server is at capacity' is empty",
            K::BadRequest,
        ),
    ] {
        for status in [400, 422] {
            assert_eq!(failure(status, &body(words)).kind(), kind, "{status} {words}");
        }
        // Inside a success the type stands for the status.
        let error = UpstreamError::parse(body(words).as_bytes()).unwrap();
        assert_eq!(error_in_body(&HeaderMap::new(), &error).kind(), kind, "{words}");
    }
    let named = r#"{"error":{"message":"The server is overloaded","type":"invalid_request_error","param":"user"}}"#;
    assert_eq!(failure(400, named).kind(), K::BadRequest);
}

#[test]
fn a_spent_allowance_and_a_limit_are_read_under_any_status_of_the_request_s_side() {
    for (status, body, kind, scope) in [
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"You're out of extra usage. Add more and keep going."}}"#,
            K::QuotaExhausted,
            FailureScope::Upstream,
        ),
        (
            403,
            r#"{"error":"Quota exceeded"}"#,
            K::QuotaExhausted,
            FailureScope::Upstream,
        ),
        (
            403,
            r#"{"errors":[{"code":"token_quota_reached","message":"The monthly token quota of your plan is reached."}],"status_code":403}"#,
            K::QuotaExhausted,
            FailureScope::Upstream,
        ),
        (
            403,
            r#"{"error":{"message":"Quota exceeded for model x"}}"#,
            K::QuotaExhausted,
            FailureScope::Candidate,
        ),
        (
            403,
            r#"{"error":{"message":"You are out of credits. Please top up your account."}}"#,
            K::InsufficientFunds,
            FailureScope::Upstream,
        ),
        (
            400,
            r#"{"error":{"message":"Request rate increased too quickly. Please scale requests more smoothly over time."}}"#,
            K::RateLimited,
            FailureScope::Candidate,
        ),
        (
            402,
            r#"{"error":{"message":"Usage limit reached, try again in 5 minutes"}}"#,
            K::RateLimited,
            FailureScope::Upstream,
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient credits. Add some and try again in 5 minutes"}}"#,
            K::InsufficientFunds,
            FailureScope::Upstream,
        ),
        (
            449,
            r#"{"msg":"You exceeded your current rate limit"}"#,
            K::RateLimited,
            FailureScope::Candidate,
        ),
        (
            439,
            r#"{"msg":"Your API Token has expired."}"#,
            K::Auth,
            FailureScope::Upstream,
        ),
        // A quota under 429 may be one of a minute, and a parameter is none.
        (
            429,
            r#"{"error":"Quota exceeded"}"#,
            K::RateLimited,
            FailureScope::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid value for 'usage_limit': the quota is exceeded"}}"#,
            K::BadRequest,
            FailureScope::Candidate,
        ),
    ] {
        let failed = failure(status, body);
        assert_eq!(
            (failed.kind(), Failure::scope(&failed)),
            (kind, scope),
            "{status} {body}"
        );
    }
    for (body, kind) in [
        (
            r#"{"Response":{"Error":{"Code":"FailedOperation.ResourcePackExhausted","Message":"资源包余量已用尽，请购买资源包或开通后付费"}}}"#,
            K::QuotaExhausted,
        ),
        (
            r#"{"status":"449","msg":"You exceeded your current rate limit","body":null}"#,
            K::RateLimited,
        ),
        (
            r#"{"status":"439","msg":"Your API Token has expired.","body":null}"#,
            K::Auth,
        ),
    ] {
        let error = UpstreamError::parse(body.as_bytes()).unwrap();
        assert_eq!(error_in_body(&HeaderMap::new(), &error).kind(), kind, "{body}");
    }
}

#[test]
fn a_code_of_a_parameter_or_of_a_long_prompt_is_believed_under_5xx() {
    for (status, code, kind) in [
        (500, "unsupported_parameter", K::RejectedByProvider),
        (502, "unknown_parameter", K::RejectedByProvider),
        (503, "unknown_parameter", K::Overloaded),
        (500, "unknown_error", K::Upstream),
        (503, "exceed_context_size_error", K::ContextLengthExceeded),
        (503, "x", K::Overloaded),
    ] {
        let body = format!(r#"{{"error":{{"message":"x","type":"invalid_request_error","code":"{code}"}}}}"#);
        assert_eq!(failure(status, &body).kind(), kind, "{status} {code}");
    }
}

#[test]
fn words_that_are_no_envelope_name_a_wait_as_well() {
    for (body, seconds) in [
        (
            "Sorry, your request was rate-limited. Please wait 71 minutes before trying again.",
            Some(4_260),
        ),
        ("rate limit exceeded, retry after 30s", Some(30)),
        ("Too Many Attempts. Please try again in 42 seconds.", Some(42)),
        (
            "<html><head><title>429 Too Many Requests</title></head><body><h1>Too Many Requests</h1><p>Please wait 60 seconds and try again.</p></body></html>",
            Some(60),
        ),
        ("slow down", None),
        ("", None),
    ] {
        let wait = Failure::retry_after(&failure(429, body));
        assert_eq!(wait.map(|wait| wait.as_secs()), seconds, "{body}");
    }
}

#[test]
fn what_an_upstream_names_beside_its_words_is_kept() {
    let body = |param: &str| {
        format!(
            r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"Param Incorrect","param":"{param}"}},"request_id":"req_1"}}"#
        )
    };
    let named = failure(400, &body("temperature"));
    assert_eq!(
        (named.param(), named.request_id()),
        (Some("temperature"), Some("req_1"))
    );
    assert_eq!((named.message(), named.generation_id()), ("Param Incorrect", None));
    // What is no name is a part of the words.
    let prose = failure(400, &body("text is not set"));
    assert_eq!(
        (prose.param(), prose.message()),
        (None, "Param Incorrect: text is not set")
    );
}
