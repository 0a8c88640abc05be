//! Errors in every shape that a server writes them in.

use std::time::Duration;

use super::{ErrorCode, RAW_LIMIT, UpstreamError, affordable_tokens};

fn parse(body: &str) -> UpstreamError {
    UpstreamError::parse(body.as_bytes()).unwrap()
}

#[test]
fn the_ordinary_shape() {
    let error =
        parse(r#"{"error":{"message":"acme/nope-1 is not a valid model ID","code":400},"user_id":"user_2demo"}"#);
    assert_eq!(error.code, Some(ErrorCode::Number(400)));
    assert_eq!(
        (error.message.as_str(), error.user_id.as_deref()),
        ("acme/nope-1 is not a valid model ID", Some("user_2demo"))
    );
    assert_eq!(error.to_string(), "400 acme/nope-1 is not a valid model ID");
    assert!(error.error_type.is_none() && error.provider_name.is_none() && !error.in_choice);

    let upstream = parse(
        r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{}}","provider_name":"OpenAI","is_byok":false,
            "error_type":"invalid_request","provider_code":"bad"}}}"#,
    );
    assert_eq!(upstream.raw.as_deref(), Some("{\"error\":{}}"));
    assert_eq!(
        (upstream.provider_name.as_deref(), upstream.is_byok),
        (Some("OpenAI"), Some(false))
    );
    assert_eq!(
        (upstream.error_type.as_deref(), upstream.provider_code.as_deref()),
        (Some("invalid_request"), Some("bad"))
    );
    assert_eq!(upstream.to_string(), "400 Provider returned error (OpenAI)");
}

#[test]
fn availability_with_and_without_a_code() {
    let body = |code: &str| {
        format!(
            r#"{{"error":{{"message":"All providers for demo/model are at capacity.",{code}"error_type":"rate_limit_exceeded","http_status":429,
 "availability":{{"code":"capacity_exhausted","retryable":true,"retry_after":40,"requested_models":["demo/model"],"affected_providers":["alpha","beta"],
   "fallback_models":["demo/model-mini"],"excluded_by":["max_price"],"constraint":{{"field":"max_price","detail":"too expensive"}},"docs_url":"https://example.test"}},
 "metadata":{{"previous_errors":[{{"provider":"alpha","code":"capacity_exhausted","status":429}},{{"code":502,"message":"m","provider_name":"beta","raw":"r"}}]}}}}}}"#
        )
    };
    for code in ["", "\"code\":429,"] {
        let error = parse(&body(code));
        assert_eq!(error.status(), Some(429));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(40)));
        let availability = error.availability.unwrap();
        assert_eq!(
            (availability.code.as_deref(), availability.retryable),
            (Some("capacity_exhausted"), Some(true))
        );
        assert_eq!(
            (
                availability.affected_providers.len(),
                availability.fallback_models.len()
            ),
            (2, 1)
        );
        assert_eq!(
            (
                availability.constraint_field.as_deref(),
                availability.constraint_detail.as_deref()
            ),
            (Some("max_price"), Some("too expensive"))
        );
        let [first, second] = &error.previous_errors[..] else {
            panic!("two")
        };
        assert_eq!((first.provider.as_deref(), first.status), (Some("alpha"), Some(429)));
        assert_eq!(
            (first.code.clone(), second.code.clone()),
            (
                Some(ErrorCode::Text("capacity_exhausted".to_owned())),
                Some(ErrorCode::Number(502))
            )
        );
        assert_eq!(
            (second.provider.as_deref(), second.message.as_deref()),
            (Some("beta"), Some("m"))
        );
    }
}

#[test]
fn a_code_is_a_number_or_a_word() {
    let code = |code: &str| parse(&format!(r#"{{"error":{{"code":{code}}}}}"#));
    assert_eq!(
        code("\"server_error\"").code,
        Some(ErrorCode::Text("server_error".to_owned()))
    );
    assert_eq!(code("\"server_error\"").status(), None);
    assert_eq!(code("\" 429 \"").status(), Some(429));
    assert_eq!(code("429.0").status(), Some(429));
    assert_eq!(code("70000").status(), None);
    for none in ["null", "[]", "{}", "true", "\"\"", "1e400"] {
        if let Some(error) = UpstreamError::parse(format!(r#"{{"error":{{"code":{none}}}}}"#).as_bytes()) {
            assert_eq!(error.code, None, "{none}");
        }
    }
}

#[test]
fn the_shape_of_a_validator() {
    let error = parse(
        r#"{"success":false,"error":{"name":"ZodError","message":"[{\"code\":\"invalid_type\",\"path\":[\"messages\"]}]"}}"#,
    );
    assert_eq!(error.error_type.as_deref(), Some("ZodError"));
    assert!(error.message.contains("invalid_type"));
}

#[test]
fn metadata_beside_the_error_is_its_own() {
    let metadata = r#"{"raw":"busy","provider_name":"Chutes","retry_after_seconds":17}"#;
    for body in [
        format!(
            r#"{{"type":"error","error":{{"type":"rate_limit_error","message":"Provider returned error","metadata":null}},
                "request_id":null,"metadata":{metadata}}}"#
        ),
        format!(
            r#"{{"error":{{"code":"rate_limit_exceeded","message":"Provider returned error"}},"metadata":{metadata}}}"#
        ),
    ] {
        let error = UpstreamError::parse(body.as_bytes()).unwrap();
        assert_eq!(error.raw.as_deref(), Some("busy"), "{body}");
        assert_eq!(error.provider_name.as_deref(), Some("Chutes"));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    }
    let both = r#"{"error":{"message":"m","metadata":{"raw":"within"}},"metadata":{"raw":"beside"}}"#;
    assert_eq!(
        UpstreamError::parse(both.as_bytes()).unwrap().raw.as_deref(),
        Some("within")
    );
}

#[test]
fn the_shape_of_anthropic() {
    let error = parse(
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","error_type":"provider_overloaded"},"request_id":"gen-7"}"#,
    );
    assert_eq!(
        (error.error_type.as_deref(), error.message.as_str()),
        (Some("provider_overloaded"), "Overloaded")
    );
    assert_eq!(error.generation_id.as_deref(), Some("gen-7"));
    let bare =
        parse(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":null}"#);
    assert_eq!(
        (bare.error_type.as_deref(), bare.generation_id),
        (Some("overloaded_error"), None)
    );
}

#[test]
fn the_shapes_of_responses() {
    let body = r#"{"id":"gen-8","object":"response","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow down"},"error_type":"rate_limit_exceeded"}"#;
    for body in [
        body.to_owned(),
        format!(r#"{{"type":"response.failed","response":{body}}}"#),
    ] {
        let error = parse(&body);
        assert_eq!(error.code, Some(ErrorCode::Text("rate_limit_exceeded".to_owned())));
        assert_eq!(
            (error.error_type.as_deref(), error.generation_id.as_deref()),
            (Some("rate_limit_exceeded"), Some("gen-8"))
        );
    }
    assert_eq!(
        parse(r#"{"type":"error","code":"server_error","message":"m"}"#).message,
        "m"
    );
    assert_eq!(
        parse(r#"{"type":"response.failed","response":{}}"#),
        UpstreamError::default()
    );
    assert_eq!(
        UpstreamError::parse(br#"{"object":"response","status":"completed","error":null}"#),
        None
    );
}

#[test]
fn what_is_not_json_or_no_error_is_none() {
    for body in [
        &b""[..],
        b"   \n ",
        b"<html>502</html>",
        b"null",
        b"[]",
        b"\"error\"",
        b"{}",
        br#"{"error":null}"#,
        br#"{"error":""}"#,
        br#"{"error":0}"#,
        br#"{"error":"Success"}"#,
        br#"{"error":{}}"#,
        br#"{"error":{"message":"","type":"","param":"","code":null}}"#,
        br#"{"error":{"code":200,"message":"OK"}}"#,
        br#"{"error":{"code":"0","message":"success","request_id":"r"}}"#,
        br#"{"error":[]}"#,
        br#"{"base_resp":{"status_code":0,"status_msg":""}}"#,
        br#"{"success":true,"errors":[]}"#,
        br#"{"type":"ping"}"#,
        br#"{"type":"progress","message":"thinking","status":"running"}"#,
        b"\xff",
        b"{\"error\":{",
    ] {
        assert_eq!(UpstreamError::parse(body), None);
    }
    assert_eq!(
        UpstreamError::parse(br#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"error":null}"#),
        None
    );
    assert_eq!(parse(r#"{"error":"busy"}"#).message, "busy");
}

#[test]
fn errors_inside_an_answer() {
    let first = parse(
        r#"{"id":"gen-9","object":"chat.completion.chunk","error":{"code":429,"message":"Rate limit exceeded","metadata":{"error_type":"rate_limit_exceeded"}},
            "choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
    );
    assert_eq!(
        (first.status(), first.generation_id.as_deref(), first.in_choice),
        (Some(429), Some("gen-9"), false)
    );
    let half = parse(
        r#"{"id":"gen-9","object":"chat.completion","provider":"DemoProvider","choices":[{"index":0,"finish_reason":"error","native_finish_reason":null,
            "message":{"content":"The first half of"},"error":{"code":502,"message":"Provider disconnected mid-stream","metadata":{"error_type":"provider_unavailable"}}}]}"#,
    );
    assert_eq!(
        (half.status(), half.in_choice, half.error_type.as_deref()),
        (Some(502), true, Some("provider_unavailable"))
    );
    let untold = parse(
        r#"{"provider":"Google","choices":[{"finish_reason":"error","native_finish_reason":"MALFORMED_FUNCTION_CALL","message":{"content":""}}]}"#,
    );
    assert_eq!(
        (untold.in_choice, untold.native_finish_reason.as_deref()),
        (true, Some("MALFORMED_FUNCTION_CALL"))
    );
    assert_eq!(untold.to_string(), "MALFORMED_FUNCTION_CALL (Google)");
}

#[test]
fn limits_and_budgets() {
    let daily = parse(
        r#"{"error":{"message":"Rate limit exceeded: free-models-per-day.","code":429,"metadata":{"limit_source":"openrouter_free_tier_daily",
            "headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":0,"X-RateLimit-Reset":"1795478400000"}}}}"#,
    );
    assert_eq!(daily.limit_source.as_deref(), Some("openrouter_free_tier_daily"));
    assert_eq!(
        (daily.rate_limit_reset_ms(), daily.header("x-ratelimit-remaining")),
        (Some(1_795_478_400_000), Some("0"))
    );
    assert_eq!(daily.retry_after(), None);

    let shared = |hints: &str| parse(&format!(r#"{{"error":{{"code":429,"metadata":{{{hints}}}}}}}"#)).retry_after();
    assert_eq!(
        shared(r#""retry_after_seconds":17,"headers":{"Retry-After":"9"}"#),
        Some(Duration::from_secs(17))
    );
    assert_eq!(shared(r#""retry_after_seconds":"17""#), Some(Duration::from_secs(17)));
    assert_eq!(
        shared(r#""retry_after_seconds_raw":16.5"#),
        Some(Duration::from_millis(16_500))
    );
    assert_eq!(
        shared(r#""headers":{"retry-after":" 9 "}"#),
        Some(Duration::from_secs(9))
    );
    for odd in [
        r#""retry_after_seconds":-1"#,
        r#""retry_after_seconds":1e300"#,
        r#""headers":{"Retry-After":"soon"}"#,
        r#""headers":[]"#,
        r#""retry_after_seconds":"NaN""#,
    ] {
        assert_eq!(shared(odd), None, "{odd}");
    }

    let held = parse(
        r#"{"error":{"code":402,"metadata":{"limit_source":"openrouter_in_flight_budget","reason":"in_flight_budget_exhausted"}}}"#,
    );
    assert_eq!(held.reason.as_deref(), Some("in_flight_budget_exhausted"));
    let budget = parse(
        r#"{"error":{"code":403,"metadata":{"limit_source":"openrouter_workspace_budget","scope":"workspace","limit_usd":500,"spend_usd":500.12,
            "resets_at":"2026-12-01T00:00:00Z","remedy_hint":"ask"}}}"#,
    );
    assert_eq!(
        (
            budget.scope.as_deref(),
            budget.limit_usd.as_deref(),
            budget.spend_usd.as_deref()
        ),
        (Some("workspace"), Some("500"), Some("500.12"))
    );
    assert_eq!(
        (budget.resets_at.as_deref(), budget.remedy_hint.as_deref()),
        (Some("2026-12-01T00:00:00Z"), Some("ask"))
    );
}

#[test]
fn moderation_and_guardrails() {
    let flagged = parse(
        r#"{"error":{"message":"flagged","code":403,"metadata":{"reasons":["violence",null],"flagged_input":"first ... last","provider_name":"DemoProvider","model_slug":"demo/model"}}}"#,
    );
    assert_eq!(
        (
            flagged.reasons.len(),
            flagged.flagged_input.as_deref(),
            flagged.model_slug.as_deref()
        ),
        (1, Some("first ... last"), Some("demo/model"))
    );
    assert_eq!(
        parse(r#"{"error":{"code":403,"metadata":{"patterns":["ignore all"]}}}"#).patterns,
        ["ignore all"]
    );
}

#[test]
fn a_providers_text_is_cut_between_characters() {
    let long = format!(r#"{{"error":{{"metadata":{{"raw":"x{}"}}}}}}"#, "雨".repeat(2000));
    let raw = parse(&long).raw.unwrap();
    assert!(raw.len() <= RAW_LIMIT && raw.len() > RAW_LIMIT - 3 && raw.ends_with('雨'));
    assert_eq!(
        parse(r#"{"error":{"metadata":{"raw":{"a":[1]}}}}"#).raw.as_deref(),
        Some(r#"{"a":[1]}"#)
    );
    assert_eq!(parse(r#"{"error":{"code":500,"metadata":{"raw":null}}}"#).raw, None);
}

#[test]
fn every_type_may_be_wrong() {
    let fields = [
        "code",
        "message",
        "error_type",
        "http_status",
        "availability",
        "metadata",
    ];
    let inner = [
        "raw",
        "provider_name",
        "headers",
        "previous_errors",
        "reasons",
        "patterns",
        "is_byok",
        "retry_after_seconds",
        "limit_source",
    ];
    for wrong in ["null", "5", "\"x\"", "[]", "{}", "true", "[null]", "{\"a\":{}}"] {
        for field in fields {
            assert!(
                UpstreamError::parse(format!(r#"{{"error":{{"type":"t","{field}":{wrong}}}}}"#).as_bytes()).is_some(),
                "{field} {wrong}"
            );
        }
        for field in inner {
            assert!(
                UpstreamError::parse(
                    format!(r#"{{"error":{{"type":"t","metadata":{{"{field}":{wrong}}}}}}}"#).as_bytes()
                )
                .is_some(),
                "{field} {wrong}"
            );
        }
        assert!(UpstreamError::parse(format!(r#"{{"choices":{wrong},"error":{{"code":500}}}}"#).as_bytes()).is_some());
    }
}

#[test]
fn finds_how_much_is_affordable() {
    let message = "This request requires more credits, or fewer max_tokens. You requested up to 32000 tokens, but can only afford 1480. To increase";
    assert_eq!(affordable_tokens(message), Some(1480));
    assert_eq!(affordable_tokens("can only afford 12,480 tokens"), Some(12_480));
    assert_eq!(affordable_tokens("can only afford nothing"), None);
    assert_eq!(affordable_tokens("can only afford 99999999999999999999999"), None);
    assert_eq!(affordable_tokens("Insufficient credits"), None);
}

#[test]
fn the_wait_is_read_from_the_words() {
    for (message, seconds) in [
        (
            "Rate limit reached for gpt-5. Please try again in 20s. Visit x",
            Some(20.0),
        ),
        ("Please try again in 7.66s.", Some(7.66)),
        ("Please try again in 6m0s.", Some(360.0)),
        ("Please retry in 34.5s.", Some(34.5)),
        ("Rate limit is exceeded. Try again in 26 seconds.", Some(26.0)),
        ("Try again in 1 hour and 2 minutes", Some(3720.0)),
        ("try again in 250ms", Some(0.25)),
        ("retry after 3 seconds", Some(3.0)),
        ("Please try again in a few minutes", None),
        ("try again in 20", None),
        (
            "Rate limit of 50 per 86400s exceeded. Please wait 47 seconds before retrying.",
            Some(47.0),
        ),
        ("Quota will be replenished in 02:13:45.", Some(8_025.0)),
        ("try again in 00:00:07", Some(7.0)),
        ("try again in 25:61:00", None),
        ("Try again after 14:00:00 UTC", None),
        ("The limit resets after 00:00:00 UTC", None),
        ("try again in 1:2", None),
        ("try again in 99999999999:00:00", None),
        ("wait", None),
        ("retry after ..s", None),
    ] {
        let error = UpstreamError {
            message: message.to_owned(),
            ..UpstreamError::default()
        };
        let told = error.retry_after().map(|wait| wait.as_secs_f64());
        assert_eq!(told, seconds, "{message}");
    }
}
