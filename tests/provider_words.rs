//! One provider's 4xx is not the request's fault everywhere: each is answered by another upstream.

use std::time::Duration;

use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_openrouter::{
    ApiKey, Candidate, ChatServiceExt, FailureKind as K, Stack, UsdAmount,
    layers::{
        WorstCasePrice,
        budget::{Budget, Window},
        cost::UnknownPrice,
        retry::Exponential,
    },
    transport::{Dialect, OPENROUTER, Upstream},
};

use crate::support::{
    FIRST, Got, World, ask, call,
    raw::{KEY, Raw, Step, chunk, done, events, head, json as json_head, send},
};

async fn good() -> Raw {
    Raw::always(vec![events(), chunk("Sky", "null"), chunk("", "\"stop\""), done()]).await
}

/// A chain of two upstreams of which the first always does this.
async fn first_of_two(bad: &Raw, dialect: Dialect) -> Got {
    let good = good().await;
    let name = if dialect == Dialect::OpenRouter {
        OPENROUTER
    } else {
        "direct"
    };
    let stack = Stack::builder()
        .upstream(
            Upstream::new(name, bad.url(), dialect).unwrap(),
            ApiKey::new(KEY).unwrap(),
        )
        .upstream(
            Upstream::new("other", good.url(), Dialect::OpenAi).unwrap(),
            ApiKey::new("sk-other-0123456789").unwrap(),
        )
        .backoff(Exponential::new(Duration::ZERO, Duration::ZERO))
        .chain([
            Candidate::new(name, "small").unwrap(),
            Candidate::new("other", "large").unwrap(),
        ])
        .build()
        .unwrap();
    call(&stack, true, ask()).await
}

fn refuses(status: &str, body: &str) -> Vec<Step> {
    vec![head(status, "application/json"), send(body)]
}

#[tokio::test(start_paused = true)]
async fn a_prompt_too_long_for_one_goes_to_the_next() {
    let table = [
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210094 tokens > 200000 maximum"}}"#,
        ),
        (400, r#"{"message":"Input is too long for requested model."}"#),
        (
            400,
            r#"[{"error":{"code":400,"message":"The input token count (1250000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
        ),
        (
            400,
            r#"{"object":"error","message":"The input (9000 tokens) is longer than the model's context length (8192 tokens).","type":"BadRequestError","code":400}"#,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"prompt token count of 125516 exceeds the limit of 64000","code":"model_max_prompt_tokens_exceeded"}}"#,
        ),
        (
            400,
            r#"{"message":"too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs."}"#,
        ),
        (
            400,
            r#"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}"#,
        ),
        (
            422,
            r#"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 512 `max_new_tokens`","error_type":"validation"}"#,
        ),
        (
            413,
            r#"{"error":{"code":"tokens_limit_reached","message":"Request body too large for gpt-4o model. Max size: 8000 tokens."}}"#,
        ),
        (
            500,
            r#"{"error":"prompt too long; exceeded max context length by 123 tokens"}"#,
        ),
    ];
    for (status, body) in table {
        let bad = Raw::always(refuses(&format!("{status} No"), body)).await;
        let got = first_of_two(&bad, Dialect::OpenAi).await;
        assert!(got.error.is_none(), "{body}: {got:?}");
        assert_eq!(got.asked(), ["small", "large"], "{body}");
        assert!(
            got.lines[0].to_string().contains("context_length_exceeded"),
            "{}",
            got.lines[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_words_behind_the_router_count() {
    let body = r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 210094 tokens > 200000 maximum\"}}","provider_name":"Anthropic"}}}"#;
    let bad = Raw::always(refuses("400 Bad Request", body)).await;
    let got = first_of_two(&bad, Dialect::OpenRouter).await;
    assert!(got.error.is_none(), "{got:?}");
    assert!(
        got.lines[0].to_string().contains("context_length_exceeded"),
        "{}",
        got.lines[0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_one_provider_does_not_take_goes_to_the_next() {
    let bodies = [
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}"#,
        r#"{"error":{"message":"Unknown parameter: 'reasoning'.","type":"invalid_request_error","param":"reasoning","code":"unknown_parameter"}}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for this model"}}"#,
    ];
    for body in bodies {
        let bad = Raw::always(refuses("400 Bad Request", body)).await;
        let got = first_of_two(&bad, Dialect::OpenAi).await;
        assert!(got.error.is_none(), "{body}: {got:?}");
        assert_eq!(bad.seen().len(), 1, "{body}: sent once only");
        assert!(
            got.lines[0].to_string().contains("rejected_by_provider"),
            "{}",
            got.lines[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_opaque_4xx_goes_to_the_next() {
    let table = [
        ("400 Bad Request", "", 1),
        (
            "400 Bad Request",
            "<html><title>400 Request Header Or Cookie Too Large</title></html>",
            1,
        ),
        ("404 Not Found", "", 1),
        ("405 Method Not Allowed", "", 1),
        ("413 Payload Too Large", "<html>413</html>", 1),
        ("415 Unsupported Media Type", "", 1),
        ("431 Request Header Fields Too Large", "", 1),
        ("451 Unavailable For Legal Reasons", "", 1),
        ("499 Client Closed Request", "", 1),
        // These pass soon: once more, and no oftener.
        ("409 Conflict", r#"{"error":{"message":"conflict","code":409}}"#, 2),
        ("421 Misdirected Request", "", 2),
        ("425 Too Early", "", 2),
    ];
    for (status, body, sent) in table {
        let bad = Raw::always(vec![head(status, "text/html"), send(body)]).await;
        let got = first_of_two(&bad, Dialect::OpenAi).await;
        assert!(got.error.is_none(), "{status}: {got:?}");
        assert_eq!(bad.seen().len(), sent, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn once_more_is_once_whatever_a_candidate_is_allowed() {
    let bad = Raw::always(vec![head("409 Conflict", "text/html")]).await;
    let stack = bad.builder().attempts_per_candidate(4).build().unwrap();
    let got = call(&stack, false, ask()).await;
    assert_eq!((got.kind(), bad.seen().len()), (Some(K::RejectedByProvider), 2));
}

/// The same request is not repeated if the upstream says that it is no use, and once if it says that it is.
#[tokio::test(start_paused = true)]
async fn an_upstream_that_says_whether_to_retry_is_obeyed() {
    for (status, asked, sent) in [
        ("500 Internal Server Error", "false", 1),
        ("409 Conflict", "false", 1),
        ("500 Internal Server Error", "true", 3),
        ("400 Bad Request", "true", 2),
        ("400 Bad Request", "false", 1),
    ] {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-should-retry: {asked}\r\nconnection: close\r\n\r\n"
        );
        let bad = Raw::always(vec![send(head), send(r#"{"error":{"message":"x"}}"#)]).await;
        let stack = bad.builder().attempts_per_candidate(3).build().unwrap();
        let got = call(&stack, false, ask()).await;
        assert_eq!(
            (got.error.is_some(), bad.seen().len()),
            (true, sent),
            "{status} {asked}"
        );
    }
}

/// Of a few statuses a server sends one for a throttle, too: its code says so.
#[tokio::test(start_paused = true)]
async fn a_throttle_under_400_or_403_goes_to_the_next() {
    let table = [
        (
            "400 Bad Request",
            "",
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
        ),
        (
            "400 Bad Request",
            "x-amzn-errortype: ThrottlingException:http://internal.amazon.com/coral/\r\n",
            r#"{"message":"x"}"#,
        ),
        (
            "400 Bad Request",
            "",
            r#"{"error":{"message":"Rate limit reached for requests","type":"requests","code":"rate_limit_exceeded"}}"#,
        ),
        (
            "403 Forbidden",
            "",
            r#"{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}"#,
        ),
    ];
    for (status, header, body) in table {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{header}retry-after: 3600\r\nconnection: close\r\n\r\n"
        );
        let bad = Raw::always(vec![send(head), send(body)]).await;
        let got = first_of_two(&bad, Dialect::OpenAi).await;
        assert!(got.error.is_none(), "{body}: {got:?}");
        assert_eq!(got.asked(), ["small", "large"], "{body}");
        assert!(got.lines[0].to_string().contains("rate_limited"), "{}", got.lines[0]);
    }
}

/// OpenRouter used the caller's own key at a provider, and the account of that key is empty.
#[tokio::test(start_paused = true)]
async fn an_empty_account_behind_the_router_goes_to_the_next() {
    let body = r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"Your credit balance is too low","provider_name":"Anthropic","is_byok":true}}}"#;
    let bad = Raw::always(refuses("400 Bad Request", body)).await;
    let got = first_of_two(&bad, Dialect::OpenRouter).await;
    assert!(got.error.is_none(), "{got:?}");
    assert_eq!(got.asked(), ["small", "large"]);
    assert!(
        got.lines[0].to_string().contains("insufficient_funds"),
        "{}",
        got.lines[0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_wrong_everywhere_ends_the_chain() {
    let bodies = [
        r#"{"error":{"message":"We could not parse the JSON body of your request.","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"Invalid value for 'rate_limit': it exceeds 100","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"model is required","type":"invalid_request_error","param":"model"}}"#,
        r#"{"error":{"message":"messages: at least one message is required","type":"invalid_request_error"}}"#,
        r#"{"error":{"message":"'models' array must have 3 items or fewer.","code":400}}"#,
    ];
    for body in bodies {
        let bad = Raw::always(refuses("400 Bad Request", body)).await;
        let got = first_of_two(&bad, Dialect::OpenAi).await;
        assert_eq!(
            (got.kind(), got.asked()),
            (Some(K::BadRequest), vec!["small"]),
            "{body}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_withheld_answer_is_no_empty_success() {
    let table = [
        ("content_filter", "content_filter", K::ContentFiltered),
        (
            "content_filter",
            "model_context_window_exceeded",
            K::ContextLengthExceeded,
        ),
        ("length", "model_context_window_exceeded", K::ContextLengthExceeded),
        ("model_context_window_exceeded", "", K::ContextLengthExceeded),
    ];
    for (finish, native, kind) in table {
        let choice = json!({"index": 0, "finish_reason": finish, "native_finish_reason": native});
        let with = |name: &str| {
            let mut choice = choice.clone();
            choice[name] = json!({"role": "assistant", "content": ""});
            json!({"id": "gen-1", "choices": [choice]}).to_string()
        };
        let streamed = Raw::always(vec![events(), send(format!("data: {}\n\n", with("delta"))), done()]).await;
        let got = call(&streamed.alone(), true, ask()).await;
        assert_eq!(got.kind(), Some(kind), "{finish} {native}: {got:?}");
        assert_eq!(got.error.unwrap().generation_id(), Some("gen-1"));
        let plain = Raw::always(vec![json_head(), send(with("message"))]).await;
        let got = call(&plain.alone(), false, ask()).await;
        assert_eq!(got.kind(), Some(kind), "plain {finish} {native}: {got:?}");
    }
}

/// What was shown before the filter cut in stays an answer.
#[tokio::test(start_paused = true)]
async fn a_filter_after_the_beginning_keeps_what_was_shown() {
    let raw = Raw::always(vec![
        events(),
        chunk("Sky", "null"),
        chunk("", "\"content_filter\""),
        done(),
    ])
    .await;
    let got = call(&raw.alone(), true, ask()).await;
    assert_eq!((got.kind(), got.text.as_str()), (None, "Sky"));
}

async fn mounted(stack: &Stack) -> (http::StatusCode, Value) {
    let body = json!({"model": FIRST, "messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/chat/completions")
        .body(Full::new(bytes::Bytes::from(body)))
        .unwrap();
    let response = stack.clone().into_openai_endpoint().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(start_paused = true)]
async fn our_own_budget_refuses_with_402() {
    let world = World::new("GOOD").await;
    let fixed: UsdAmount = "0.01".parse().unwrap();
    let stack = world
        .builder()
        .chain([FIRST])
        .budget(Budget::usd("tenant", "0.001").unwrap().per(Window::Day))
        .unknown_price(UnknownPrice::Assume(WorstCasePrice::new().fixed(fixed)))
        .build()
        .unwrap();
    let (status, body) = mounted(&stack).await;
    assert_eq!(status.as_u16(), 402, "{body}");
    assert_eq!(body["error"]["type"], "insufficient_quota");
    assert_eq!(body["error"]["code"], "budget_exceeded");
    assert!(world.simulator.report().attempts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upstreams_status_means_the_same_to_the_client() {
    let table = [
        (
            "403 Forbidden",
            r#"{"error":{"message":"not for you","code":403}}"#,
            403,
            "permission_error",
            "upstream_forbidden",
        ),
        (
            "402 Payment Required",
            r#"{"error":{"message":"Insufficient credits.","code":402}}"#,
            503,
            "api_error",
            "upstream_unaffordable",
        ),
        (
            "431 Too Large",
            "",
            400,
            "invalid_request_error",
            "rejected_by_provider",
        ),
        (
            "405 Method Not Allowed",
            "",
            400,
            "invalid_request_error",
            "rejected_by_provider",
        ),
    ];
    for (line, sent, status, kind, code) in table {
        let raw = Raw::always(refuses(line, sent)).await;
        let (got, body) = mounted(&raw.alone()).await;
        assert_eq!(got.as_u16(), status, "{line}: {body}");
        assert_eq!(body["error"]["type"], kind, "{line}");
        assert_eq!(body["error"]["code"], code, "{line}");
    }
}
