//! Failures, early ends, and plain answers.

use tower_llm_layers::{FailureKind, Frame};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_failure_in_a_stream_is_that_failure() {
    let failed = r#"{"type":"response.failed","sequence_number":4,"response":{"id":"resp_2","object":"response","status":"failed","output":[],"error":{"code":"server_error","message":"Provider disconnected"},"error_type":"provider_unavailable"}}"#;
    let flat =
        r#"{"type":"error","sequence_number":4,"code":"rate_limit_exceeded","message":"Slow down","param":null}"#;
    let nested = r#"{"type":"error","error":{"code":"rate_limit_exceeded","message":"Slow down"}}"#;
    let documented = r#"{"type":"response.error","error":{"code":"rate_limit_exceeded","message":"Slow down"}}"#;
    let overloaded =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"gen-1"}"#;
    let policy =
        r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"cyber_policy","message":"No"}}}"#;
    for (api, before, json, kind, words) in [
        (
            Api::Responses,
            CREATED,
            failed,
            FailureKind::Upstream,
            "Provider disconnected",
        ),
        (Api::Responses, CREATED, flat, FailureKind::RateLimited, "Slow down"),
        (Api::Responses, CREATED, nested, FailureKind::RateLimited, "Slow down"),
        (
            Api::Responses,
            CREATED,
            documented,
            FailureKind::RateLimited,
            "Slow down",
        ),
        (Api::Responses, CREATED, policy, FailureKind::ContentFiltered, "No"),
        (Api::Messages, START, overloaded, FailureKind::Overloaded, "Overloaded"),
    ] {
        for text in [stream(&[before, json]), format!("{}data: {json}\n\n", event(before))] {
            let read = got(api, &text, End::Silent).await;
            assert_eq!(read.kind(), Some(kind), "{text}: {read:?}");
            assert!(read.error.unwrap().message().contains(words), "{text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ends_early_is_whole_and_one_without_anything_is_not() {
    let incomplete = |reason: &str, output: &str| {
        format!(
            r#"{{"type":"response.incomplete","response":{{"id":"r","object":"response","status":"incomplete","incomplete_details":{{"reason":"{reason}"}},"output":{output},"usage":{{"input_tokens":1,"output_tokens":9}}}}}}"#
        )
    };
    let length = incomplete("max_output_tokens", "[]");
    let filter = incomplete("content_filter", "[]");
    let read = got(Api::Responses, &stream(&[CREATED, ADDED, OS, &length]), End::Closed).await;
    assert_eq!((read.text.as_str(), read.kind()), ("Os", None));
    let last = read.frames.last().unwrap();
    assert_eq!(
        (last.finish_reason().as_deref(), last.finishes_answer()),
        (Some("length"), true)
    );
    let read = got(Api::Responses, &stream(&[CREATED, ADDED, OS, &filter]), End::Closed).await;
    assert_eq!(
        (read.kind(), read.frames.last().unwrap().finishes_answer()),
        (None, false)
    );
    // Nothing was shown: the limit is an honest end, the filter is a failure with its usage before it.
    for mark in ["", "data: [DONE]\n\n"] {
        let text = stream(&[CREATED, &length]) + mark;
        assert_eq!(got(Api::Responses, &text, End::Closed).await.kind(), None, "{text}");
    }
    // OpenRouter's form of a request that is too long: no token was spent. Reasoning without a token of output is a server's way to count.
    for (usage, kind) in [
        (r#""output_tokens":0"#, Some(FailureKind::ContextLengthExceeded)),
        (
            r#""output_tokens":0,"output_tokens_details":{"reasoning_tokens":9}"#,
            None,
        ),
        (r#""x":0"#, None),
    ] {
        let length = length.replace("\"output_tokens\":9", usage);
        let read = got(Api::Responses, &stream(&[CREATED, &length]), End::Closed).await;
        assert_eq!(read.kind(), kind, "{usage}");
        let whole: serde_json::Value = serde_json::from_str(&length).unwrap();
        let read = plain(Api::Responses, &whole["response"].to_string()).await;
        assert_eq!(read.kind(), kind, "{usage}");
    }
    let read = got(Api::Responses, &stream(&[CREATED, &filter]), End::Closed).await;
    assert_eq!(read.kind(), Some(FailureKind::ContentFiltered));
    let usage = read.frames.iter().find(|frame| frame.has_usage()).unwrap();
    assert_eq!((usage.token_usage().unwrap().answer, usage.bytes().len()), (9, 0));

    let empty = COMPLETED.replace(r#"[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Oslo.","annotations":[]}]}]"#, "[]");
    let unspent = empty.replace("\"output_tokens\":3", "\"output_tokens\":0");
    assert_eq!(
        got(Api::Responses, &stream(&[CREATED, &empty]), End::Closed)
            .await
            .kind(),
        Some(FailureKind::EmptyResponse),
        "tokens were spent on nothing"
    );
    assert_eq!(
        got(Api::Responses, &stream(&[CREATED, &unspent]), End::Closed)
            .await
            .kind(),
        Some(FailureKind::EmptyResponse)
    );

    let ends = |reason: &str| DELTA.replace("end_turn", reason);
    for (reason, kind) in [
        ("max_tokens", None),
        ("pause_turn", None),
        ("refusal", Some(FailureKind::ContentFiltered)),
        (
            "model_context_window_exceeded",
            Some(FailureKind::ContextLengthExceeded),
        ),
    ] {
        let read = got(Api::Messages, &stream(&[START, &ends(reason), STOP]), End::Closed).await;
        assert_eq!(read.kind(), kind, "{reason}");
    }
    let silent = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":0}}"#;
    assert_eq!(
        got(Api::Messages, &stream(&[START, silent, STOP]), End::Closed)
            .await
            .kind(),
        Some(FailureKind::EmptyResponse)
    );
}

#[tokio::test(start_paused = true)]
async fn plain_answers_are_read_and_failures_in_a_success_are_found() {
    let whole: serde_json::Value = serde_json::from_str(COMPLETED).unwrap();
    let read = plain(Api::Responses, &whole["response"].to_string()).await;
    assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None));
    assert!(read.frames[0].finishes_answer());
    assert_eq!(read.frames[0].token_usage().unwrap().total(), 17);
    assert!(read.frames[0].response().is_err(), "it is no chat's");

    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"a/b","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Os"},{"type":"text","text":"lo."}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_read_input_tokens":5,"output_tokens":4,"cost":0.5}}"#;
    let read = plain(Api::Messages, message).await;
    assert_eq!((read.text.as_str(), read.kind()), ("Oslo.", None));
    let usage = read.frames[0].token_usage().unwrap();
    assert_eq!((usage.prompt, usage.cached, usage.answer), (15, 5, 4));

    for (api, json, kind) in [
        (
            Api::Responses,
            r#"{"id":"r","object":"response","status":"failed","output":[],"error":{"code":"rate_limit_exceeded","message":"Slow"}}"#,
            Some(FailureKind::RateLimited),
        ),
        (
            Api::Responses,
            r#"{"error":{"code":429,"message":"Slow"}}"#,
            Some(FailureKind::RateLimited),
        ),
        (
            Api::Responses,
            r#"{"error":{"code":"invalid_prompt","message":"Bad"},"metadata":null}"#,
            Some(FailureKind::BadRequest),
        ),
        (
            Api::Responses,
            r#"{"id":"r","object":"response","status":"completed","output":[],"usage":{"output_tokens":0}}"#,
            Some(FailureKind::EmptyResponse),
        ),
        (
            Api::Responses,
            r#"{"id":"r","object":"response","status":"queued","output":[]}"#,
            None,
        ),
        (
            Api::Responses,
            r#"{"id":"r","object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#,
            None,
        ),
        (
            Api::Responses,
            r#"{"object":"response","status":"completed","output":[{"type":"function_call","call_id":"c","name":"f","arguments":""}]}"#,
            None,
        ),
        (
            Api::Responses,
            r#"{"message":"upstream request timeout","code":504}"#,
            Some(FailureKind::Upstream),
        ),
        (Api::Responses, "[1]", Some(FailureKind::Malformed)),
        (Api::Responses, "{}", Some(FailureKind::EmptyResponse)),
        (
            Api::Messages,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Some(FailureKind::Overloaded),
        ),
        (
            Api::Messages,
            r#"{"type":"message","content":[],"stop_reason":"refusal"}"#,
            Some(FailureKind::ContentFiltered),
        ),
        (
            Api::Messages,
            r#"{"type":"message","content":[],"stop_reason":"end_turn","usage":{"output_tokens":0}}"#,
            Some(FailureKind::EmptyResponse),
        ),
        (
            Api::Messages,
            r#"{"type":"message","content":[{"type":"tool_use","id":"t","name":"f","input":{}}],"stop_reason":"tool_use"}"#,
            None,
        ),
        (Api::Messages, "", Some(FailureKind::Malformed)),
    ] {
        assert_eq!(plain(api, json).await.kind(), kind, "{json}");
    }
}
