//! Errors as servers were reported to send them: an unknown model, an empty account, a filter, a revoked key, an overload.

use http::{HeaderMap, StatusCode};
use tower_llm_layers::{Failure, FailureKind as K, FailureScope as S};

use super::{error_in_body, error_of_response};
use openrouter_wire::error::UpstreamError;

/// The kind and the scope of each body under its status; 0 is an error inside a 200.
fn check(table: &[(u16, &str)], kind: K, scope: S) {
    for (status, body) in table {
        let error = if *status == 0 {
            let told = UpstreamError::parse(body.as_bytes()).unwrap_or_else(|| panic!("no error: {body}"));
            error_in_body(&HeaderMap::new(), &told)
        } else {
            error_of_response(
                StatusCode::from_u16(*status).unwrap(),
                &HeaderMap::new(),
                body.as_bytes(),
            )
        };
        assert_eq!((error.kind(), Failure::scope(&error)), (kind, scope), "{status} {body}");
    }
}

#[test]
fn a_model_that_does_not_exist_is_no_endpoint_whatever_the_status() {
    let table = [
        (
            400,
            r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"The model `x` has been decommissioned and is no longer supported. Please refer to https://example.com for a recommendation.","type":"invalid_request_error","code":"model_decommissioned"}}"#,
        ),
        (
            400,
            r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}"#,
        ),
        (
            422,
            r#"{"object":"error","message":"x","type":"invalid_model","param":null,"code":"1500"}"#,
        ),
        (
            400,
            r#"{"error":{"message":"The model `acme/large-2` does not exist.","code":400}}"#,
        ),
        (400, r#"{"error":"model 'acme-3' not found, try pulling it first"}"#),
        (400, "model \"acme-3\" is not found"),
        (
            400,
            r#"{"error":{"code":"1211","message":"模型不存在，请检查模型代码。"}}"#,
        ),
        (
            503,
            r#"{"error":{"message":"当前分组 default 下对于模型 x 无可用渠道","type":"new_api_error"}}"#,
        ),
        (
            503,
            r#"{"error":{"message":"No available channels for model x under group default","type":"new_api_error"}}"#,
        ),
        (
            0,
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error"}}"#,
        ),
    ];
    check(&table, K::NoEndpoint, S::Candidate);
}

#[test]
fn something_else_that_is_not_found_is_no_unknown_model() {
    let table = [
        (
            400,
            r#"{"error":{"message":"The message for this model refers to a tool call that does not exist","code":400}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"messages[2].tool_call_id not found","code":400}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Invalid model parameters: temperature","code":400}}"#,
        ),
    ];
    check(&table, K::BadRequest, S::Candidate);
    let failed = r#"{"error":{"message":"The model runner failed: library not found"}}"#;
    check(&[(500, failed)], K::Upstream, S::Candidate);
    let provider = r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"Model Not Exist","provider_name":"Demo"}}}"#;
    check(&[(400, provider)], K::RejectedByProvider, S::Candidate);
}

#[test]
fn an_empty_account_is_one_whatever_the_status() {
    let xai = r#"{"code":"The caller does not have permission","error":"Your team 1 has either used all available credits or reached its monthly spending limit. To continue, purchase more credits."}"#;
    let table = [
        (429, xai),
        (403, xai),
        (
            429,
            r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
        ),
        (429, r#"{"error":{"code":"1113","message":"您的账户余额不足，请充值"}}"#),
        (403, r#"{"error":{"message":"账户已欠费","type":"x"}}"#),
        (
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"insufficient balance (1008)"}}"#,
        ),
        (
            0,
            r#"{"id":"","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
        ),
        (429, r#"{"error":{"message":"x","type":"insufficient_balance_error"}}"#),
        (
            403,
            r#"{"code":30011,"message":"Sorry, your paid balance is insufficient","data":null}"#,
        ),
        (
            400,
            r#"{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","request_id":"r"}"#,
        ),
        (400, r#"{"error":{"code":"Arrearage","message":"x"}}"#),
    ];
    check(&table, K::InsufficientFunds, S::Upstream);
    let spent = r#"{"error":{"message":"Budget has been exceeded! Current cost: 1.2, Max budget: 1.0","type":"budget_exceeded","code":"CODE"}}"#;
    let (bad, limited) = (spent.replace("CODE", "400"), spent.replace("CODE", "429"));
    check(&[(400, &bad), (429, &limited)], K::QuotaExhausted, S::Upstream);
}

#[test]
fn a_limit_by_the_minute_and_a_provider_s_account_are_not_ours() {
    let quota = r#"[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. Quota exceeded for metric: requests, limit: 10. Please retry in 34s.","status":"RESOURCE_EXHAUSTED"}}]"#;
    check(&[(429, quota)], K::RateLimited, S::Candidate);
    let provider = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"insufficient balance","provider_name":"Demo"}}}"#;
    check(&[(429, provider)], K::Upstream, S::Candidate);
}

#[test]
fn a_generation_that_groq_could_not_use_is_the_model_s_own() {
    let body = |code: &str| {
        format!(
            r#"{{"error":{{"message":"Failed to generate JSON.","type":"invalid_request_error","code":"{code}","failed_generation":""}}}}"#
        )
    };
    let bodies = ["json_validate_failed", "output_parse_failed", "tool_use_failed", "x"].map(body);
    let table: Vec<(u16, &str)> = bodies.iter().flat_map(|body| [(400, &**body), (0, &**body)]).collect();
    check(&table, K::RejectedByProvider, S::Candidate);
}

#[test]
fn a_status_that_is_not_registered_is_one_server_s_opinion() {
    let body = r#"{"error":{"message":"x"}}"#;
    check(
        &[(418, body), (444, body), (460, body), (419, "")],
        K::RejectedByProvider,
        S::Candidate,
    );
    let capacity = r#"{"error":{"message":"x","code":"capacity_exceeded"}}"#;
    check(&[(498, capacity)], K::Overloaded, S::Candidate);
    check(&[(446, body)], K::ContentFiltered, S::Candidate);
    check(&[(400, body), (413, body), (422, body)], K::BadRequest, S::Candidate);
}

#[test]
fn a_filter_is_one_in_whatever_words() {
    let table = [
        (
            400,
            r#"{"error":{"code":"data_inspection_failed","message":"Output data may contain inappropriate content.","type":"data_inspection_failed"}}"#,
        ),
        (400, r#"{"code":"DataInspectionFailed","message":"x","request_id":"r"}"#),
        (
            0,
            r#"{"error":{"code":"data_inspection_failed","message":"x","type":"data_inspection_failed"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
        ),
        (
            0,
            r#"{"choices":null,"base_resp":{"status_code":1026,"status_msg":"input new_sensitive"}}"#,
        ),
        (
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"output new_sensitive (1027)"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":"1301","message":"系统检测到输入或生成内容可能包含不安全或敏感内容"}}"#,
        ),
    ];
    check(&table, K::ContentFiltered, S::Candidate);
}

/// Filters and safety checks in the words of Anthropic, OpenAI, Zhipu, Ark, New API and xAI.
#[test]
fn a_filter_is_known_by_its_words_whatever_the_type() {
    let zhipu = r#"{"error":{"code":"1301","message":"System detected potentially unsafe or sensitive content in input or generation. Please avoid using prompts that may generate sensitive content."}}"#;
    let anthropic =
        r#"{"error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#;
    let table = [
        (400, anthropic),
        (0, anthropic),
        (
            400,
            r#"{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}"#,
        ),
        (400, zhipu),
        (0, zhipu),
        (
            400,
            r#"{"error":{"code":"InputTextSensitiveContentDetected","message":"The request failed because the input text may contain sensitive information","type":"BadRequest"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"input contains sensitive words: [test]","type":"new_api_error","code":"sensitive_words_detected"}}"#,
        ),
        (
            403,
            r#"{"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines. Team: t, API key ID: k, Model: grok-4-0709, Failed check: SAFETY_CHECK_TYPE_BIO"}"#,
        ),
    ];
    check(&table, K::ContentFiltered, S::Candidate);
}

#[test]
fn a_wrong_request_stays_one_whatever_its_members_are_called() {
    let body = |message: &str| format!(r#"{{"error":{{"message":"{message}","type":"invalid_request_error"}}}}"#);
    let bad = [
        "Invalid value for 'content'",
        "content must be a string",
        "Invalid type for 'messages[0].content': expected a string, but got an integer instead.",
        "messages.1: content blocks of type 'tool_use' must be followed by 'tool_result'",
        "Invalid moderation: expected one of 'auto' or 'low'",
        "Request blocked by network policy",
        "'balance' must be a number: not enough digits",
        "Invalid 'account': the project is not active in this schema",
        "Invalid value for 'rate_limit'",
        "Invalid prompt: messages[0] is empty",
    ]
    .map(body);
    let table: Vec<(u16, &str)> = bad.iter().flat_map(|body| [(400, &**body), (0, &**body)]).collect();
    check(&table, K::BadRequest, S::Candidate);
    let bare = r#"{"error":{"message":"Invalid prompt","type":"invalid_request_error","code":"invalid_prompt"}}"#;
    check(&[(400, bare)], K::BadRequest, S::Candidate);
    let unsupported = [
        "unsupported parameter: moderation",
        "Unknown parameter: 'content_filter'.",
    ]
    .map(body);
    let table: Vec<(u16, &str)> = unsupported.iter().map(|body| (400, &**body)).collect();
    check(&table, K::RejectedByProvider, S::Candidate);
    let long = ["input is too long", "input text too long"].map(body);
    let table: Vec<(u16, &str)> = long.iter().map(|body| (400, &**body)).collect();
    check(&table, K::ContextLengthExceeded, S::Candidate);
}

#[test]
fn a_closed_account_is_the_upstream_s_and_not_the_request_s_fault() {
    let restricted = r#"{"error":{"message":"Organization has been restricted. Please reach out to support if you believe this was in error.","type":"invalid_request_error","code":"organization_restricted"}}"#;
    let table = [
        (400, restricted),
        (0, restricted),
        (403, r#"{"error":{"message":"Your account has been suspended."}}"#),
        (409, r#"{"error":{"message":"x","code":"account_deactivated"}}"#),
    ];
    check(&table, K::Auth, S::Upstream);
    let spent = [
        (400, r#"{"error":{"message":"x","code":"blocked_api_access"}}"#),
        (400, r#"{"error":{"message":"x","code":"spend_limit_reached"}}"#),
    ];
    check(&spent, K::QuotaExhausted, S::Upstream);
    let model = r#"{"error":{"message":"The model `x` is blocked at the organization level.","code":"model_permission_blocked_org"}}"#;
    check(&[(403, model)], K::NoEndpoint, S::Candidate);
}

#[test]
fn an_account_that_cannot_pay_is_known_by_what_is_missing() {
    let table = [
        (
            429,
            r#"{"error":{"message":"Your account is not active, please check your billing details on our website.","type":"billing_not_active","param":null,"code":"billing_not_active"}}"#,
        ),
        (
            403,
            r#"{"error":{"message":"user quota is not enough","type":"new_api_error","code":"insufficient_user_quota"}}"#,
        ),
        (403, r#"{"error":{"message":"x","code":"insufficient_user_quota"}}"#),
        (
            403,
            r#"{"error":{"message":"用户额度不足, 剩余额度: ＄-0.000002","type":"new_api_error"}}"#,
        ),
        (
            403,
            r#"{"error":{"code":"AccountOverdueError","message":"The request failed because your account has an overdue balance. Request id: r","type":"Forbidden"}}"#,
        ),
        (
            403,
            r#"{"code":403,"reason":"NOT_ENOUGH_BALANCE","message":"not enough balance"}"#,
        ),
        (403, r#"{"code":403,"reason":"NOT_ENOUGH_BALANCE","message":"denied"}"#),
        (
            412,
            r#"{"error":{"message":"Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.","param":null,"code":"PRECONDITION_FAILED","type":"error"}}"#,
        ),
    ];
    check(&table, K::InsufficientFunds, S::Upstream);
    let quota = r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    check(&[(429, quota)], K::QuotaExhausted, S::Upstream);
    let exhausted = r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#;
    check(&[(429, exhausted)], K::RateLimited, S::Candidate);
    check(
        &[(412, r#"{"error":{"message":"x"}}"#)],
        K::RejectedByProvider,
        S::Candidate,
    );
}

#[test]
fn a_key_that_may_not_use_a_model_is_good_for_another() {
    let body = r#"{"error":{"message":"key not allowed to access model. This key can only access models=['gpt-5']. Tried to access claude-x","type":"key_model_access_denied","param":"model","code":"401"}}"#;
    check(&[(401, body), (0, body)], K::NoEndpoint, S::Candidate);
    check(&[(401, r#"{"error":{"message":"Invalid key"}}"#)], K::Auth, S::Upstream);
}

#[test]
fn an_error_without_a_status_has_that_of_its_text() {
    let base_resp = |code: u16, text: &str| {
        format!(r#"{{"choices":null,"base_resp":{{"status_code":{code},"status_msg":"{text}"}}}}"#)
    };
    let limited = [
        base_resp(1002, "rate limit exceeded(RPM)"),
        base_resp(1039, "token limit exceeded(TPM)"),
    ];
    let table: Vec<(u16, &str)> = limited.iter().map(|body| (0, &**body)).collect();
    check(&table, K::RateLimited, S::Candidate);
    check(
        &[(0, r#"{"error":{"message":"Rate limit reached"}}"#)],
        K::RateLimited,
        S::Candidate,
    );
    check(&[(0, &*base_resp(1004, "login failed"))], K::Auth, S::Upstream);
    check(&[(0, &*base_resp(2013, "invalid params"))], K::BadRequest, S::Candidate);
    let mixed = r#"{"error":{"code":"rate_limit_error","message":"This request would exceed the rate limit for your organization of 20,000 input tokens per minute.","type":"invalid_request_error","param":null}}"#;
    check(&[(0, mixed)], K::RateLimited, S::Candidate);
}

#[test]
fn what_one_server_does_not_take_is_rejected_by_it_alone() {
    let table = [
        (
            400,
            r#"{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text` at line 1 column 9","type":"invalid_request_error"}}"#,
        ),
        (
            422,
            r#"{"error":{"message":"data did not match any variant of untagged enum MessageContent","type":"invalid_request_error"}}"#,
        ),
        (400, r#"{"error":{"code":"OperationNotSupported","message":"x"}}"#),
        (
            400,
            r#"{"error":{"code":"400","message":"The chatCompletion operation does not work with the specified model, x. Please choose different model and try again."}}"#,
        ),
    ];
    check(&table, K::RejectedByProvider, S::Candidate);
}

#[test]
fn an_overload_under_429_rests_no_key() {
    let body = r#"{"error":{"type":"engine_overloaded_error","message":"The engine is currently overloaded, please try again later"}}"#;
    check(&[(429, body), (0, body), (500, body)], K::Overloaded, S::Candidate);
}

#[test]
fn a_revoked_key_is_rejected_under_403() {
    let body = r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#;
    check(&[(403, body), (0, body)], K::Auth, S::Upstream);
    let other =
        r#"{"error":{"code":403,"message":"The caller does not have permission","status":"PERMISSION_DENIED"}}"#;
    check(&[(403, other)], K::NoEndpoint, S::Candidate);
}
