//! Errors under the names that single servers have for them, and words that stand anywhere: each is a failure, with the upstream's own words.

use super::{
    assert_bad,
    bad::{WORDS, told},
    recorded::*,
};
use tower_openrouter::ChatBody;

/// Shapes of errors, by the server, gateway or framework that writes them.
fn shapes() -> Vec<(&'static str, String)> {
    [
        ("OAuth's", r#"{"error":"overloaded","error_description":"WORDS"}"#),
        (
            "Spring's",
            r#"{"timestamp":"2026-11-01T00:00:00Z","status":503,"error":"Service Unavailable","message":"WORDS","path":"/v1"}"#,
        ),
        ("a flag and words", r#"{"error":true,"message":"WORDS"}"#),
        ("iFlytek's header", r#"{"header":{"code":10013,"message":"WORDS","sid":"s","status":2}}"#),
        (
            "Hunyuan's",
            r#"{"Response":{"ErrorMsg":{"Msg":"WORDS","Code":2003},"RequestId":"r"}}"#,
        ),
        ("Hunyuan's in a stream", r#"{"ErrorMsg":{"Msg":"WORDS","Code":2003},"Note":"x"}"#),
        ("Dify's", r#"{"event":"error","status":503,"code":"completion_request_error","message":"WORDS"}"#),
        ("Bedrock's", r#"{"internalServerException":{"message":"WORDS"}}"#),
        (
            "Bedrock's of a model",
            r#"{"modelStreamErrorException":{"message":"WORDS","originalStatusCode":424}}"#,
        ),
        ("Bedrock's limit", r#"{"throttlingException":{"message":"WORDS"}}"#),
        ("a list of words", r#"{"error":["WORDS"],"warnings":["x"]}"#),
        ("errors as words", r#"{"errors":["WORDS"]}"#),
        ("Jira's", r#"{"errorMessages":["WORDS"],"errors":{}}"#),
        (
            "NVIDIA's problem",
            r#"{"type":"urn:nvcf:problem-details","title":"Internal Server Error","status":500,"detail":"WORDS"}"#,
        ),
        ("details alone", r#"{"error":{"code":"overloaded","details":"WORDS"}}"#),
        ("a message that is an object", r#"{"error":{"code":503,"message":{"text":"WORDS"}}}"#),
        ("an inner error", r#"{"error":{"code":"x","innererror":{"message":"WORDS"}}}"#),
        ("an exception in an error", r#"{"error":{"exception":"WORDS"}}"#),
        ("an exception with words", r#"{"exception":"ValueError","message":"WORDS"}"#),
        ("in a delta", r#"{"id":"x","choices":[{"index":0,"delta":{"error":{"message":"WORDS"}},"finish_reason":null}]}"#),
        (
            "in a delta that fails",
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":"","error":"WORDS"},"finish_reason":"error"}]}"#,
        ),
        ("an error event with content", r#"{"type":"error","content":"WORDS"}"#),
        ("an exception event", r#"{"type":"exception","data":{"message":"WORDS"}}"#),
        ("in data", r#"{"code":500,"data":{"message":"WORDS"}}"#),
        ("an error in data", r#"{"data":{"error":{"message":"WORDS"}}}"#),
        ("in a response", r#"{"response":{"error":{"message":"WORDS"}}}"#),
        ("in a result", r#"{"result":{"code":503,"message":"WORDS"}}"#),
        ("RAGFlow's", r#"{"retcode":500,"retmsg":"WORDS"}"#),
        ("WeChat's", r#"{"ret":-1,"errmsg":"WORDS"}"#),
        ("in capitals", r#"{"ERROR":"WORDS"}"#),
        ("GraphQL's", r#"{"data":null,"errors":[{"message":"WORDS","path":["x"]}]}"#),
        ("a Lambda's", r#"{"statusCode":500,"body":"{\"error\":{\"message\":\"WORDS\"}}"}"#),
        ("a blank error beside words", r#"{"error":{"message":"","type":"","code":""},"message":"WORDS","code":500}"#),
    ]
    .map(|(what, json)| (what, json.replace("WORDS", WORDS)))
    .into()
}

#[tokio::test(start_paused = true)]
async fn servers_own_shapes_are_read_wherever_they_stand() {
    for (what, json) in shapes() {
        for body in [
            event(&json) + DONE,
            json.clone(),
            say("Hello") + &event(&json),
            say("Hello") + &event(&json) + DONE,
            format!("{}{json}\n\n", say("Hello")),
            format!("{}event: error\ndata: {json}\n\n", say("Hello")),
            // Half of a chunk before it, on the same line and on the one before.
            format!("{}data: {{\"id\":\"gen-1\",\"cho\n{json}\n\n", say("Hello")),
            format!("{}data: {{\"id\":\"gen-1\",\"chodata: {json}\n\n", say("Hello")),
        ] {
            let shown = if body.contains("Hello") { "Hello" } else { "" };
            let (text, error) = told(ChatBody::from_event_stream(body.clone())).await;
            assert_eq!(text, shown, "{what}: {body}");
            assert!(
                error.as_ref().is_some_and(|error| error.contains(WORDS)),
                "{what}: {error:?} {body}"
            );
        }
        let (_, error) = told(ChatBody::from_plain(json)).await;
        assert!(
            error.as_ref().is_some_and(|error| error.contains(WORDS)),
            "{what}: {error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn servers_own_shapes_are_read_under_a_status() {
    for (what, json) in shapes() {
        assert_bad(&status(what, "503 Service Unavailable", json), "", WORDS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn words_are_reported_wherever_they_stand() {
    for words in [
        "Error: Engine overloaded",
        "[ERROR] Engine overloaded",
        "upstream error: Engine overloaded",
        "{'error': 'Engine overloaded'}",
        "data: [ERROR] Engine overloaded",
        "data: {'error': {'message': 'Engine overloaded', 'code': None}}",
        "data: {\"error\": {\"message\": \"Engine overloaded: \"x\" is down\"}}",
    ] {
        for (body, shown) in [
            (format!("{words}\n\n"), ""),
            (format!("{}{words}\n\n", say("Hello")), "Hello"),
            (format!("{}{words}\n\n{DONE}", say("Hello")), "Hello"),
            (format!("{}{words}", say("Hello")), "Hello"),
        ] {
            assert_bad(&stream("words in a stream", body), shown, WORDS).await;
        }
    }
    for (what, body) in [
        (
            "Python's way to write an error",
            "{'error': {'message': 'Engine overloaded'}}",
        ),
        (
            "an error that is cut",
            "{\"error\": {\"message\": \"Engine overloaded, pl",
        ),
        (
            "quotes in quotes",
            "{\"error\": {\"message\": \"Engine overloaded: \"x\"\"}}",
        ),
        ("words as JSON", "\"Engine overloaded\""),
    ] {
        assert_bad(&plain(what, body), "", WORDS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_end_is_one_under_any_name() {
    for word in [
        "upstream_error",
        "FINISH_REASON_ERROR",
        "disconnect",
        "generation_failed",
    ] {
        let end = part("{}", &format!("\"{word}\""));
        assert_bad(&stream("a failed end", say("Hello") + &end + DONE), "Hello", "").await;
        let native = part("{}", &format!("\"stop\",\"native_finish_reason\":\"{word}\""));
        assert_bad(
            &stream("a failed native end", say("Hello") + &native + DONE),
            "Hello",
            "",
        )
        .await;
        let failed = good_answer("").replace("\"stop\"", &format!("\"{word}\""));
        assert_bad(&plain("a failed end", failed), "", "").await;
    }
    let usage = r#""usage":{"prompt_tokens":15,"completion_tokens":9}"#;
    for choice in [
        r#"{"index":0,"message":null,"finish_reason":"stop"}"#,
        r#"{"index":0,"finish_reason":"stop"}"#,
    ] {
        let empty = format!("{{\"id\":\"gen-1\",\"choices\":[{choice}],{usage}}}");
        assert_bad(&plain("no message", empty.clone()), "", "").await;
        assert_bad(&stream("no message", event(&empty) + DONE), "", "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn words_are_cut_and_a_redirect_is_named() {
    let long = format!("{WORDS} {}", "é".repeat(50_000));
    let json = format!("{{\"error\":{{\"message\":\"{long}\"}}}}");
    for body in [
        ChatBody::from_plain(json.clone()),
        ChatBody::from_event_stream(say("Hello") + &event(&json)),
        ChatBody::from_event_stream(say("Hello") + &event(&long.replace(WORDS, "error: Engine overloaded"))),
    ] {
        let (_, error) = told(body).await;
        let error = error.unwrap();
        assert!(error.contains(WORDS) && error.len() < 2100, "{} bytes", error.len());
    }
    for (place, told) in [
        (
            "https://api.example/v2/chat?token=s3cr3t",
            "https://api.example/v2/chat,",
        ),
        ("https://name:s3cr3t@login.example/", "https://login.example/,"),
        ("/elsewhere", "/elsewhere,"),
    ] {
        let head = format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
        let mut case = plain("a redirect", "");
        case.steps = vec![crate::support::raw::send(head)];
        assert_bad(&case, "", told).await;
    }
}

/// What follows a whole answer and its bill is not about it; what follows the finish alone may be.
#[tokio::test(start_paused = true)]
async fn an_error_behind_the_finish_counts_until_the_bill() {
    for odd in [
        event(r#"{"error":{"message":"Engine overloaded"}}"#),
        "event: error\ndata: {\"message\":\"Engine overloaded\"}\n\n".to_owned(),
        "{\"error\":\"Engine overloaded\"}\n".to_owned(),
    ] {
        super::assert_good(
            &stream("behind the bill", hello() + &odd + DONE),
            "Hello world",
            "\"cost\"",
        )
        .await;
        super::assert_good(&stream("behind the bill", hello() + &odd), "Hello world", "\"cost\"").await;
        let case = stream("behind the finish", say("Hello") + &stop() + &odd + DONE);
        assert_bad(&case, "Hello", WORDS).await;
    }
}
