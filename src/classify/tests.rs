//! Which kind of failure a status and the words of an upstream mean.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tower_llm_layers::{Failure, FailureKind as K, FailureScope as S, RetryAdvice as R};

use super::{error_in_body, error_of_response};
use crate::Error;
use openrouter_wire::error::UpstreamError;

fn judged(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Error {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    error_of_response(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
}

/// One of each kind of error that an upstream sends before it commits.
#[test]
fn each_envelope_means_what_it_should() {
    let table = [
        (
            400,
            r#"{"error":{"message":"acme/nope is not a valid model ID","code":400}}"#,
            K::NoEndpoint,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"x","error_type":"invalid_request","http_status":400,"availability":{"code":"model_not_found","retryable":false}}}"#,
            K::NoEndpoint,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"'models' array must have 3 items or fewer.","code":400}}"#,
            K::BadRequest,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"This endpoint's maximum context length is 8192 tokens.","code":400}}"#,
            K::ContextLengthExceeded,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"x","code":400,"metadata":{"error_type":"context_length_exceeded","provider_name":null}}}"#,
            K::ContextLengthExceeded,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"x","code":400,"metadata":{"error_type":"content_policy_violation"}}}"#,
            K::ContentFiltered,
            S::Candidate,
        ),
        (
            400,
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"no prefill","provider_name":"OpenAI"}}}"#,
            K::RejectedByProvider,
            S::Candidate,
        ),
        (
            400,
            r#"{"success":false,"error":{"name":"ZodError","message":"[{}]"}}"#,
            K::BadRequest,
            S::Candidate,
        ),
        (
            401,
            r#"{"error":{"message":"User not found.","code":401}}"#,
            K::Auth,
            S::Upstream,
        ),
        (
            401,
            r#"{"error":{"message":"Provider returned error","code":401,"metadata":{"raw":"Unauthorized","provider_name":"Demo"}}}"#,
            K::Upstream,
            S::Candidate,
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient credits.","code":402,"metadata":{"limit_source":"openrouter_credits"}}}"#,
            K::InsufficientFunds,
            S::Upstream,
        ),
        (
            402,
            r#"{"error":{"message":"You requested up to 32000 tokens, but can only afford 1480.","code":402}}"#,
            K::InsufficientFunds,
            S::Candidate,
        ),
        (
            402,
            r#"{"error":{"message":"x","code":402,"metadata":{"limit_source":"openrouter_in_flight_budget","reason":"in_flight_budget_exhausted"}}}"#,
            K::RateLimited,
            S::Upstream,
        ),
        (
            402,
            r#"{"error":{"message":"x","code":402,"metadata":{"limit_source":"openrouter_in_flight_budget","reason":"weight_exceeds_budget"}}}"#,
            K::InsufficientFunds,
            S::Candidate,
        ),
        (
            402,
            r#"{"error":{"message":"x","code":402,"metadata":{"limit_source":"openrouter_key_limit"}}}"#,
            K::QuotaExhausted,
            S::Upstream,
        ),
        (
            403,
            r#"{"error":{"message":"Key limit exceeded (daily limit).","code":403}}"#,
            K::QuotaExhausted,
            S::Upstream,
        ),
        (
            403,
            r#"{"error":{"message":"x","code":403,"metadata":{"limit_source":"openrouter_workspace_budget"}}}"#,
            K::QuotaExhausted,
            S::Upstream,
        ),
        (
            403,
            r#"{"error":{"message":"flagged","code":403,"metadata":{"reasons":["violence"],"provider_name":"Demo"}}}"#,
            K::ContentFiltered,
            S::Candidate,
        ),
        (
            403,
            r#"{"error":{"message":"blocked","code":403,"metadata":{"patterns":["ignore all"]}}}"#,
            K::ContentFiltered,
            S::Candidate,
        ),
        (
            403,
            r#"{"error":{"message":"x","code":403,"availability":{"code":"region_restricted","retryable":false}}}"#,
            K::NoEndpoint,
            S::Candidate,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"Only management keys can perform this operation"}}"#,
            K::Auth,
            S::Upstream,
        ),
        (403, "<html>blocked</html>", K::NoEndpoint, S::Upstream),
        (
            404,
            r#"{"error":{"message":"No endpoints found that support tool use.","code":404}}"#,
            K::NoEndpoint,
            S::Candidate,
        ),
        (
            408,
            r#"{"error":{"code":408,"message":"x"}}"#,
            K::Upstream,
            S::Candidate,
        ),
        (
            413,
            r#"{"error":{"code":413,"message":"x"}}"#,
            K::BadRequest,
            S::Candidate,
        ),
        (
            422,
            r#"{"error":{"code":422,"message":"x"}}"#,
            K::BadRequest,
            S::Candidate,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. ","code":429}}"#,
            K::QuotaExhausted,
            S::Pool,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-min. ","code":429}}"#,
            K::RateLimited,
            S::Pool,
        ),
        (
            429,
            r#"{"error":{"message":"Rate limit exceeded: limit_rpm/demo/model","code":429,"metadata":{"limit_source":"openrouter_shared_capacity"}}}"#,
            K::RateLimited,
            S::Candidate,
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            K::QuotaExhausted,
            S::Upstream,
        ),
        (429, "<html>slow down</html>", K::RateLimited, S::Upstream),
        (
            500,
            r#"{"error":{"code":500,"message":"Internal Server Error"}}"#,
            K::Upstream,
            S::Candidate,
        ),
        (502, "", K::Upstream, S::Candidate),
        (
            503,
            r#"{"error":{"code":503,"message":"x"}}"#,
            K::Overloaded,
            S::Candidate,
        ),
        (504, "null", K::Upstream, S::Candidate),
        (520, "<html></html>", K::Upstream, S::Candidate),
        (
            524,
            r#"{"error":{"code":524,"message":"x"}}"#,
            K::Upstream,
            S::Candidate,
        ),
        (
            529,
            r#"{"error":{"code":529,"message":"x","metadata":{"provider_name":"Anthropic"}}}"#,
            K::Overloaded,
            S::Candidate,
        ),
        (302, "", K::Malformed, S::Candidate),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"},"request_id":null}"#,
            K::BadRequest,
            S::Candidate,
        ),
        (
            404,
            r#"{"error":{"message":"The model does not exist","type":"invalid_request_error","code":"model_not_found"}}"#,
            K::NoEndpoint,
            S::Candidate,
        ),
    ];
    for (status, body, kind, scope) in table {
        let error = judged(status, &[], body);
        assert_eq!((error.kind(), Failure::scope(&error)), (kind, scope), "{status} {body}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
    }
}

#[test]
fn says_what_stands_behind_a_constant() {
    let raw = r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"provider_name":"Demo","raw":"{\"error\":{\"message\":\"upstream connect error\"}}"}}}"#;
    let error = judged(502, &[], raw);
    assert_eq!(error.to_string(), "upstream connect error (Demo, 502)");
    assert_eq!(Failure::summary(&error), "upstream: upstream connect error (Demo)");
}

/// A gateway that puts a name before the constant; the account that is empty is the provider's.
#[test]
fn a_constant_behind_a_name_says_nothing_either() {
    let body = |raw: &str| {
        format!(
            r#"{{"error":{{"message":"Error from provider: Provider returned error","code":429,"metadata":{{"raw":"{{\"error\":{{\"message\":\"{raw}\"}}}}"}}}}}}"#
        )
    };
    let suspended = "Your account org-x is suspended due to insufficient balance, please recharge";
    let error = judged(429, &[], &body(suspended));
    assert_eq!(error.message(), suspended);
    assert_eq!((error.kind(), Failure::scope(&error)), (K::Upstream, S::Candidate));
    let limited = judged(429, &[], &body("Rate limited, try again in 20s"));
    assert_eq!(
        (limited.kind(), limited.retry_after()),
        (K::RateLimited, Some(Duration::from_secs(20)))
    );
}

#[test]
fn the_upstream_s_word_on_a_retry_is_obeyed() {
    for (status, asked, retry) in [
        (429, "false", R::Never),
        (429, "true", R::Backoff),
        (500, "False", R::Never),
        (500, "maybe", R::Backoff),
        (409, "false", R::Never),
        (409, "true", R::Once),
        (400, "true", R::Once),
        (400, "false", R::Never),
        // Another key, or a shorter answer, makes another request.
        (401, "false", R::OtherKey),
        (402, "false", R::FewerTokens),
    ] {
        for body in [r#"{"error":{"message":"x"}}"#, "no JSON"] {
            let error = judged(status, &[("x-should-retry", asked)], body);
            assert_eq!(Failure::advice(&error).retry, retry, "{status} {asked} {body}");
            let untold = judged(status, &[], body);
            assert_eq!(Failure::advice(&error).fall_back, Failure::advice(&untold).fall_back);
        }
    }
}

#[test]
fn affordable_tokens_and_hints_are_kept() {
    let error = judged(
        402,
        &[],
        r#"{"error":{"message":"can only afford 1480. To increase","code":402}}"#,
    );
    assert_eq!(error.affordable_tokens(), Some(1480));
    let places = [
        (&[("retry-after", "7")][..], "{}", 7),
        (&[][..], r#"{"availability":{"retry_after":8}}"#, 8),
        (&[][..], r#"{"metadata":{"retry_after_seconds":9}}"#, 9),
        (&[][..], r#"{"metadata":{"headers":{"Retry-After":"10"}}}"#, 10),
        (
            &[("retry-after", "soon")][..],
            r#"{"metadata":{"retry_after_seconds":"11"}}"#,
            11,
        ),
    ];
    for (headers, fields, seconds) in places {
        let body = format!(
            r#"{{"error":{{"code":429,"message":"x",{}}}"#,
            fields.trim_start_matches('{')
        );
        let body = if fields == "{}" {
            r#"{"error":{"code":429,"message":"x"}}"#.to_owned()
        } else {
            body
        };
        let error = judged(429, headers, &body);
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{body}");
    }
}

#[test]
fn an_error_inside_a_success_is_classified_by_its_own_code() {
    let table = [
        (r#"{"error":{"code":429,"message":"x"}}"#, K::RateLimited),
        (r#"{"error":{"code":"429","message":"x"}}"#, K::RateLimited),
        (
            r#"{"error":{"code":"server_error","message":"x"},"choices":[]}"#,
            K::Upstream,
        ),
        (
            r#"{"error":{"code":"context_length_exceeded","message":"x"}}"#,
            K::ContextLengthExceeded,
        ),
        (
            r#"{"error":{"message":"x","metadata":{"error_type":"provider_overloaded"}}}"#,
            K::Overloaded,
        ),
        (
            r#"{"choices":[{"finish_reason":"error","error":{"code":502,"message":"x"}}]}"#,
            K::Upstream,
        ),
        (r#"{"error":"something"}"#, K::Upstream),
        (r#"{"error":7}"#, K::Upstream),
        (
            r#"{"error":{"message":"x","status":"RESOURCE_EXHAUSTED"}}"#,
            K::RateLimited,
        ),
    ];
    for (body, kind) in table {
        let error = UpstreamError::parse(body.as_bytes()).unwrap();
        assert_eq!(error_in_body(&HeaderMap::new(), &error).kind(), kind, "{body}");
    }
}

/// Whatever the body is, its words are reported; and no status that was not sent.
#[test]
fn bodies_in_other_shapes_are_reported_in_their_own_words() {
    for (status, body, words) in [
        (503, r#"{"detail":"Engine overloaded"}"#, "Engine overloaded"),
        (
            422,
            r#"{"detail":[{"loc":["body","model"],"msg":"field required"}]}"#,
            "body.model: field required",
        ),
        (
            503,
            r#"{"success":false,"errors":[{"code":3040,"message":"Capacity"}]}"#,
            "Capacity",
        ),
        (503, "upstream connect error", "upstream connect error"),
        (502, "<html><title>Bad gateway</title></html>", "Bad gateway"),
        (429, "data: {\"error\":{\"message\":\"Slow down\"}}\n\n", "Slow down"),
        (500, "\u{feff}{\"error\":{\"error\":{\"message\":\"inner\"}}}", "inner"),
    ] {
        let error = judged(status, &[], body);
        assert!(error.message().contains(words), "{body}: {error}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
    }
    let limited = r#"[{"error":{"code":429,"message":"x","details":[{"@type":"RetryInfo","retryDelay":"34.5s"}]}}]"#;
    assert_eq!(
        judged(429, &[], limited).retry_after(),
        Some(Duration::from_millis(34_500))
    );
    let inside = UpstreamError::parse(br#"{"error":"something"}"#).unwrap();
    assert_eq!(error_in_body(&HeaderMap::new(), &inside).status(), None);
}
