//! Errors under a status of many meanings: a rate, a model or an account under 400, 401 and 403, the caller's own key behind a router, and bodies
//! that cannot be read.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tower_llm_layers::{Failure, FailureKind as K, FailureScope as S, FallbackAdvice};

use super::{error_in_body, error_of_response};
use crate::Error;
use openrouter_wire::error::UpstreamError;

fn failed(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Error {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    error_of_response(StatusCode::from_u16(status).unwrap(), &headers, body)
}

/// The kind and the scope of each body under its status; 0 is an error inside a 200.
fn check(table: &[(u16, &str)], kind: K, scope: S) {
    for (status, body) in table {
        let error = if *status == 0 {
            let told = UpstreamError::parse(body.as_bytes()).unwrap_or_else(|| panic!("no error: {body}"));
            error_in_body(&HeaderMap::new(), &told)
        } else {
            failed(*status, &[], body.as_bytes())
        };
        assert_eq!((error.kind(), Failure::scope(&error)), (kind, scope), "{status} {body}");
    }
}

#[test]
fn a_throttle_is_one_whatever_its_status() {
    let openai =
        r#"{"error":{"message":"Rate limit reached for requests","type":"requests","code":"rate_limit_exceeded"}}"#;
    let google = r#"{"error":{"code":403,"message":"User Rate Limit Exceeded. Rate of requests for user exceed configured project quota.","status":"PERMISSION_DENIED","errors":[{"domain":"usageLimits","reason":"userRateLimitExceeded"}]}}"#;
    let table = [
        (
            400,
            r#"{"__type":"com.amazon.coral.service#ThrottlingException","message":"Rate exceeded"}"#,
        ),
        (400, r#"{"__type":"ThrottlingException","message":"x"}"#),
        (400, r#"{"message":"Rate exceeded"}"#),
        (
            400,
            r#"{"Code":"Throttling.User","Message":"Request was denied due to user flow control.","RequestId":"x"}"#,
        ),
        (400, openai),
        (403, openai),
        (422, openai),
        (500, openai),
        (403, google),
        (
            403,
            r#"{"error":{"code":403,"message":"x","errors":[{"reason":"userRateLimitExceeded"}]}}"#,
        ),
        (
            403,
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
        ),
        (403, r#"{"error":{"message":"Too many requests"}}"#),
        (400, r#"{"error":{"message":"请求过于频繁，请稍后重试"}}"#),
        (
            400,
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"__type\":\"ThrottlingException\",\"message\":\"x\"}","provider_name":"Amazon Bedrock"}}}"#,
        ),
        (
            0,
            r#"{"Response":{"Error":{"Code":"RequestLimitExceeded","Message":"请求的次数超过了频率限制。"},"RequestId":"x"}}"#,
        ),
        (0, r#"{"error":{"code":"TooManyRequestsException","message":"x"}}"#),
    ];
    check(&table, K::RateLimited, S::Candidate);
    let link = "ThrottlingException:http://internal.amazon.com/coral/";
    for (status, body) in [(400, r#"{"message":"x"}"#), (400, ""), (403, "x")] {
        let error = failed(
            status,
            &[("x-amzn-errortype", link), ("retry-after", "7")],
            body.as_bytes(),
        );
        assert_eq!(error.kind(), K::RateLimited, "{status} {body}");
        assert_eq!(
            Failure::retry_after(&error),
            Some(Duration::from_secs(7)),
            "{status} {body}"
        );
    }
    // Another kind in the same header is no throttle.
    let other = failed(
        400,
        &[("x-amzn-errortype", "ValidationException:http://x/")],
        br#"{"message":"x"}"#,
    );
    assert_eq!(other.kind(), K::BadRequest);
}

#[test]
fn a_wrong_request_is_no_throttle_and_no_withheld_model() {
    let table = [
        (
            400,
            r#"{"error":{"message":"Invalid value for 'rate_limit': it exceeds 100","type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"'rpm' must be at most 100, rate limit reached","type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"We could not parse the JSON body of your request.","type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid model parameters: temperature","type":"invalid_request_error","param":"temperature"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"tools[0].function.name: the model's tool is disabled","type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"model is required","type":"invalid_request_error","param":"model"}}"#,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"field required","type":"value_error.missing"}]}"#,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"Input should be 'user' or 'assistant'","type":"enum"}]}"#,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","model_kwargs"],"msg":"Input should be a dictionary","type":"dict_type"}]}"#,
        ),
        // OpenRouter refuses for all of its providers.
        (
            400,
            r#"{"error":{"message":"x","code":400,"param":"model","metadata":{"error_type":"invalid_request"}}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"The name of the model has restricted characters; digits are allowed"}}"#,
        ),
    ];
    check(&table, K::BadRequest, S::Candidate);
}

#[test]
fn a_model_that_is_refused_in_other_words_goes_to_the_next_candidate() {
    let unknown = [
        (
            400,
            r#"{"error":{"code":"invalid_request_error","message":"The supported API model names are deepseek-v4-pro or deepseek-v4-flash, but you passed deepseek-v9-nonexistent.","param":null,"type":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":"unavailable_model","message":"Unavailable model: x","details":"Unavailable model: x"}}"#,
        ),
        (400, r#"{"error":{"code":"DeploymentModelDeprecated","message":"x"}}"#),
        (
            422,
            r#"{"error":{"message":"You passed x. Available models are: a, b"}}"#,
        ),
    ];
    check(&unknown, K::NoEndpoint, S::Candidate);
    let withheld = [
        (
            400,
            r#"{"object":"error","message":"Only vicuna&&llama allowed now, your model x","code":40301}"#,
        ),
        (
            400,
            r#"{"error":{"message":"The model version backing this deployment has been retired."}}"#,
        ),
        (
            400,
            r#"{"detail":"Model acme/large-2-instruct-turbo is currently disabled"}"#,
        ),
        (
            400,
            r#"{"error":{"message":"This model is only available to subscribers."}}"#,
        ),
        (400, r#"{"error":{"message":"No route for the model x"}}"#),
        (400, r#"{"error":{"message":"模型 x 已下线"}}"#),
        (
            400,
            r#"{"error":{"message":"x","type":"invalid_request_error","param":"model"}}"#,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"Input should be 'jamba-large' or 'jamba-mini'","type":"enum"}]}"#,
        ),
        (
            400,
            r#"{"error":{"message":"{\"detail\":[{\"loc\":[\"body\",\"model\"],\"msg\":\"Input should be 'a'\"}]}","type":"upstream_error"}}"#,
        ),
    ];
    check(&withheld, K::RejectedByProvider, S::Candidate);
}

#[test]
fn a_prompt_above_a_number_of_characters_is_too_long() {
    let table = [
        (
            400,
            r#"{"error":{"code":"invalid_argument","message":"the max input characters is 20000","type":"invalid_request_error"}}"#,
        ),
        (400, r#"{"error":{"message":"the max input tokens is 8192"}}"#),
    ];
    check(&table, K::ContextLengthExceeded, S::Candidate);
    let parameter = r#"{"error":{"message":"Invalid value for max_input_characters"}}"#;
    check(&[(400, parameter)], K::BadRequest, S::Candidate);
}

#[test]
fn an_account_in_trouble_is_no_rejected_key_under_401_and_403() {
    let quota = r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":401}}"#;
    let spent = r#"{"error":{"message":"x","code":"insufficient_quota"}}"#;
    let table = [
        (401, quota),
        (401, spent),
        (403, spent),
        (400, spent),
        (401, r#"{"error":{"message":"x","type":"budget_exceeded"}}"#),
    ];
    check(&table, K::QuotaExhausted, S::Upstream);
    let google = r#"[{"error":{"code":403,"message":"This API method requires billing to be enabled. Please enable billing on project #x by visiting https://example.com then retry.","status":"PERMISSION_DENIED","details":[{"@type":"t/ErrorInfo","reason":"BILLING_DISABLED"}]}}]"#;
    let table = [
        (403, google),
        (
            403,
            r#"{"error":{"message":"This API method requires billing to be enabled."}}"#,
        ),
        (
            403,
            r#"{"error":{"message":"x","details":[{"reason":"BILLING_DISABLED"}]}}"#,
        ),
        (401, r#"{"error":{"message":"x","code":"insufficient_balance"}}"#),
        (401, r#"{"error":{"message":"x","type":"billing_not_active"}}"#),
    ];
    check(&table, K::InsufficientFunds, S::Upstream);
    // Without a code the status is believed.
    let table = [
        (
            401,
            r#"{"error":{"message":"Invalid API key, or its quota is exceeded","type":"invalid_request_error"}}"#,
        ),
        (401, r#"{"error":{"message":"x","code":"invalid_api_key"}}"#),
    ];
    check(&table, K::Auth, S::Upstream);
}

#[test]
fn the_callers_own_account_at_a_provider_is_no_failure_of_the_router() {
    let body = |status: u16, raw: &str, byok: &str| {
        format!(
            r#"{{"error":{{"message":"Provider returned error","code":{status},"metadata":{{"raw":"{raw}","provider_name":"Anthropic"{byok}}}}}}}"#
        )
    };
    let (own, shared) = (r#","is_byok":true"#, r#","is_byok":false"#);
    let empty = "Your credit balance is too low";
    for status in [400, 402, 403] {
        let error = failed(status, &[], body(status, empty, own).as_bytes());
        let found = (error.kind(), Failure::scope(&error), error.message());
        assert_eq!(found, (K::InsufficientFunds, S::Candidate, empty), "{status}");
        // Another provider's account is another matter, whatever it costs.
        assert_eq!(Failure::advice(&error).fall_back, FallbackAdvice::Any, "{status}");
        for of_another in [shared, ""] {
            let error = failed(status, &[], body(status, empty, of_another).as_bytes());
            let found = (error.kind(), Failure::scope(&error));
            assert_eq!(found, (K::Upstream, S::Candidate), "{status} {of_another}");
        }
    }
    let spent = "You have reached your specified API usage limits. You will regain access on 2026-12-01.";
    for status in [400, 403, 429] {
        let error = failed(status, &[], body(status, spent, own).as_bytes());
        let found = (error.kind(), Failure::scope(&error), error.message());
        assert_eq!(found, (K::QuotaExhausted, S::Candidate, spent), "{status}");
        // The other candidates of the router do not use that key.
        assert_eq!(Failure::advice(&error).fall_back, FallbackAdvice::Any, "{status}");
        let error = failed(status, &[], body(status, spent, shared).as_bytes());
        let found = (error.kind(), Failure::scope(&error));
        assert_eq!(found, (K::Upstream, S::Candidate), "{status}");
    }
    // The key that OpenRouter took from us is good.
    let key = failed(400, &[], body(400, "Invalid API key", own).as_bytes());
    assert_eq!((key.kind(), Failure::scope(&key)), (K::Upstream, S::Candidate));
}

#[test]
fn a_blank_text_of_the_provider_hides_no_message() {
    for raw in [r#""""#, r#"" ""#, r#""{}""#, r#""null""#, "{}", "null"] {
        let body = format!(
            r#"{{"error":{{"message":"Provider returned error","code":502,"metadata":{{"raw":{raw},"provider_name":"Chutes"}}}}}}"#
        );
        let error = failed(502, &[], body.as_bytes());
        let found = (error.kind(), error.message());
        assert_eq!(found, (K::Upstream, "Provider returned error"), "{raw}");
    }
}

/// A body in an encoding that is not read, or that its encoding breaks.
#[test]
fn bytes_that_are_no_text_are_never_shown() {
    let garbage = b"\x07\x00\xe0\x0c\xd3\x15\xf3#\xc4u\xcf\xc8\xe9)_\x8c\x862d\xfbl1\x08\xa6\x1eK";
    for (status, kind) in [
        (429, K::RateLimited),
        (400, K::RejectedByProvider),
        (503, K::Overloaded),
    ] {
        for (encoding, words) in [
            ("br", "the content encoding `br`"),
            ("zstd", "the content encoding `zstd`"),
            ("gzip, br", "the content encoding `br`"),
            ("deflate", "compressed body"),
            ("identity", "a body that is not text"),
        ] {
            let headers = [("content-encoding", encoding), ("content-type", "application/json")];
            let error = failed(status, &headers, garbage);
            assert_eq!(error.kind(), kind, "{encoding}");
            let message = error.message();
            assert!(message.contains(words), "{encoding}: {message}");
            assert!(
                message.is_ascii() && !message.contains('\u{fffd}'),
                "{encoding}: {message}"
            );
        }
    }
    // An encoding that is named and not used hides no words.
    for (encoding, body) in [
        ("br", "Service Unavailable"),
        ("gzip", r#"{"error":{"message":"Service Unavailable"}}"#),
    ] {
        let error = failed(503, &[("content-encoding", encoding)], body.as_bytes());
        assert!(error.message().contains("Service Unavailable"), "{encoding}: {error}");
    }
    // Text in another encoding of characters is text.
    let latin = failed(503, &[], b"Dienst nicht verf\xfcgbar");
    assert!(latin.message().contains("Dienst nicht verf"), "{latin}");
}

#[test]
fn a_page_without_a_telling_title_is_reported_by_its_text() {
    for (status, page, words) in [
        (
            503,
            "<!DOCTYPE html><html><body><h2>Our services aren't available right now</h2><p>We're working to restore all services as soon as possible.</p></body></html>",
            "services aren't available right now",
        ),
        (
            404,
            "<!DOCTYPE html><html><head><title>Error</title></head><body><pre>Cannot POST /v1/chat/completions</pre></body></html>",
            "Error: Cannot POST /v1/chat/completions",
        ),
        (
            500,
            "<?xml version=\"1.0\"?><soap:Envelope><soap:Body><soap:Fault><faultstring>Policy Falsified</faultstring></soap:Fault></soap:Body></soap:Envelope>",
            "Policy Falsified",
        ),
    ] {
        let error = failed(status, &[], page.as_bytes());
        assert!(error.message().contains(words), "{page}: {error}");
    }
}
