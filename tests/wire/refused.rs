//! Refusals and half answers as servers were reported to send them, through whole stacks: what another candidate answers, and what is
//! no answer yet.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_openrouter::{Api, FailureKind};

use super::{
    assert_bad,
    recorded::{DONE, event, part, paused, plain, say, stop, stream},
    reported::{RESCUED, call},
    stack, upstream,
};
use crate::support::{
    FIRST, ask,
    raw::{Step, events, head, json as json_head, send},
};

fn refused(status: &str, body: &str) -> Vec<Step> {
    vec![head(status, "application/json"), send(body)]
}

/// Another candidate answers, after one request to the first.
#[tokio::test(start_paused = true)]
async fn what_one_candidate_cannot_do_goes_to_the_next() {
    for (status, body) in [
        (
            "400 Bad Request",
            r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"object":"error","message":"Invalid model: x","type":"invalid_model","param":null,"code":"1500"}"#,
        ),
        (
            "503 Service Unavailable",
            r#"{"error":{"message":"当前分组 default 下对于模型 x 无可用渠道","type":"new_api_error"}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Failed to generate JSON.","type":"invalid_request_error","code":"json_validate_failed","failed_generation":"{"}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Failed to deserialize: messages[0]: unknown variant `image_url`, expected `text`"}}"#,
        ),
        ("460 Unknown", r#"{"error":{"message":"x"}}"#),
        (
            "400 Bad Request",
            r#"{"error":{"code":"invalid_request_error","message":"The supported API model names are deepseek-v4-pro or deepseek-v4-flash, but you passed deepseek-v9-nonexistent.","param":null,"type":"invalid_request_error"}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"code":"unavailable_model","message":"Unavailable model: x","details":"Unavailable model: x"}}"#,
        ),
        (
            "400 Bad Request",
            r#"{"object":"error","message":"Only vicuna&&llama allowed now, your model x","code":40301}"#,
        ),
        ("400 Bad Request", r#"{"detail":"Model x is currently disabled"}"#),
        (
            "422 Unprocessable Entity",
            r#"{"detail":[{"loc":["body","model"],"msg":"Input should be 'jamba-large' or 'jamba-mini'","type":"enum"}]}"#,
        ),
        (
            "401 Unauthorized",
            r#"{"error":{"message":"key not allowed to access model. This key can only access models=['gpt-5']","type":"key_model_access_denied","param":"model","code":"401"}}"#,
        ),
    ] {
        let (answered, text, requests) = call(Api::Chat, false, refused(status, body)).await;
        assert_eq!((answered, requests), (StatusCode::OK, 2), "{body}: {text}");
        assert!(text.contains(RESCUED), "{body}: {text}");
    }
}

/// The second candidate is at the same upstream: its account, its key and the filter are the same.
#[tokio::test(start_paused = true)]
async fn what_holds_for_the_upstream_ends_the_chain() {
    for (status, body, kind) in [
        (
            "429 Too Many Requests",
            r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
            FailureKind::InsufficientFunds,
        ),
        (
            "200 OK",
            r#"{"id":"","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
            FailureKind::InsufficientFunds,
        ),
        (
            "429 Too Many Requests",
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 1.2, Max budget: 1.0","type":"budget_exceeded","code":"429"}}"#,
            FailureKind::QuotaExhausted,
        ),
        (
            "401 Unauthorized",
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":401}}"#,
            FailureKind::QuotaExhausted,
        ),
        (
            "403 Forbidden",
            r#"[{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED","details":[{"@type":"t/ErrorInfo","reason":"BILLING_DISABLED"}]}}]"#,
            FailureKind::InsufficientFunds,
        ),
        (
            "403 Forbidden",
            r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#,
            FailureKind::Auth,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Content Exists Risk","type":"invalid_request_error","code":"invalid_request_error"}}"#,
            FailureKind::ContentFiltered,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
            FailureKind::ContentFiltered,
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"Organization has been restricted.","type":"invalid_request_error","code":"organization_restricted"}}"#,
            FailureKind::Auth,
        ),
        (
            "412 Precondition Failed",
            r#"{"error":{"message":"Account x is suspended, possibly due to failure to pay past invoices.","code":"PRECONDITION_FAILED"}}"#,
            FailureKind::InsufficientFunds,
        ),
        (
            "200 OK",
            r#"{"id":"","choices":null,"base_resp":{"status_code":1004,"status_msg":"login failed"}}"#,
            FailureKind::Auth,
        ),
    ] {
        let (answered, text, requests) = call(Api::Chat, false, refused(status, body)).await;
        assert_eq!((answered.as_u16(), requests), (kind.http_status(), 1), "{body}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_in_a_stream_leaves_the_candidate_s_health_alone() {
    let filtered =
        r#"{"error":{"code":"data_inspection_failed","message":"Output data may contain inappropriate content."}}"#;
    let unsafe_content = r#"{"error":{"code":"1301","message":"System detected potentially unsafe or sensitive content in input or generation."}}"#;
    for (shown, body) in [
        ("", event(filtered)),
        ("Hel", say("Hel") + &event(filtered) + DONE),
        ("", event(unsafe_content)),
        ("Hel", say("Hel") + &event(unsafe_content) + DONE),
    ] {
        let case = stream("a filter", body);
        let raw = upstream(&case).await;
        let got = crate::support::call(&stack(&raw).chain([FIRST]).build().unwrap(), true, ask()).await;
        assert_eq!(
            (got.kind(), got.text.as_str(), raw.seen().len()),
            (Some(FailureKind::ContentFiltered), shown, 1),
            "{got:?}"
        );
    }
}

/// A finish behind nothing but reasoning may be a filler: no silence makes an answer of it.
#[tokio::test(start_paused = true)]
async fn a_silence_behind_reasoning_ends_no_answer() {
    let thought = part(r#"{"reasoning":"hm"}"#, "null");
    let late = say("Hello") + &stop() + DONE;
    let case = paused("a filler", [(0, thought.clone() + &stop()), (12_000, late.clone())]);
    let raw = upstream(&case).await;
    let patient = stack(&raw).chain([FIRST]).idle_timeout(Duration::from_secs(30));
    let got = crate::support::call(&patient.build().unwrap(), true, ask()).await;
    assert!(got.error.is_none() && got.text == "Hello", "{got:?}");
    // Text, a limit that was reached, or the bill makes the finish credible.
    let billed = event(r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#);
    for (what, text, body) in [
        ("text", "Hi", say("Hi") + &stop()),
        ("a limit", "", thought.clone() + &part("{}", "\"length\"")),
        ("the bill", "", thought.clone() + &stop() + &billed),
    ] {
        let case = paused(what, [(0, body), (60_000, String::new())]);
        let raw = upstream(&case).await;
        let patient = stack(&raw).chain([FIRST]).idle_timeout(Duration::from_secs(30));
        let got = crate::support::call(&patient.build().unwrap(), true, ask()).await;
        assert!(got.error.is_none() && got.text == text, "{what}: {got:?}");
    }
}

/// Words that stand where an answer was due, and do not sound like a failure.
#[tokio::test(start_paused = true)]
async fn an_empty_answer_quotes_the_words_that_came_in_its_place() {
    const WORDS: &str = "Your subscription has expired, please renew.";
    let body = json!({ "message": WORDS }).to_string();
    assert_bad(&plain("words", body.clone()), "", WORDS).await;
    assert_bad(&stream("an event of words", event(&body) + DONE), "", WORDS).await;
    assert_bad(&stream("words without an end", event(&body)), "", WORDS).await;
    let funds = json!({"message": "您的账户余额不足"}).to_string();
    for steps in [
        vec![json_head(), send(funds.clone())],
        vec![events(), send(event(&funds) + DONE)],
    ] {
        let (status, text, requests) = call(Api::Chat, false, steps).await;
        let wanted = (FailureKind::InsufficientFunds.http_status(), 1);
        assert_eq!((status.as_u16(), requests), wanted, "{text}");
    }
    let (status, text, _) = call(Api::Embeddings, false, vec![json_head(), send(body.clone())]).await;
    assert_eq!(status.as_u16(), FailureKind::EmptyResponse.http_status());
    assert!(text.contains(WORDS), "{text}");
    // Behind a sign of life that has words the answer is whole.
    let case = stream("a notice", event(&body) + &say("Hi") + &stop() + DONE);
    let raw = upstream(&case).await;
    let got = crate::support::call(&stack(&raw).chain([FIRST]).build().unwrap(), true, ask()).await;
    assert!(got.error.is_none() && got.text == "Hi", "{got:?}");
}

#[tokio::test(start_paused = true)]
async fn a_blank_call_of_a_tool_is_no_answer() {
    let blank = r#"{"tool_calls":[{"index":0,"id":"call_x","function":{"name":"","arguments":""}}]}"#;
    let body = part(blank, "null") + &part("{}", "\"tool_calls\"") + DONE;
    for streamed in [false, true] {
        let (status, text, requests) = call(Api::Chat, streamed, vec![events(), send(body.clone())]).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(text.contains(RESCUED), "{requests} {text}");
    }
}
